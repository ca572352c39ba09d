"""The store that the tests of this room share."""

import pytest

from shared.control.azure_sdk import AzureCheckpointStore
from shared.control.store import ControlStore


@pytest.fixture
def sdk(store: ControlStore) -> AzureCheckpointStore:
    """The store, as a client of the SDK has it."""
    return AzureCheckpointStore(store)
