"""One user with a key."""

import pytest

from scripts.localcloud.snow.identity.identity import Identities
from tests.unit.scripts.localcloud.snow.key_pairs import register


@pytest.fixture
def identities() -> Identities:
    made = Identities()
    register(made)
    return made
