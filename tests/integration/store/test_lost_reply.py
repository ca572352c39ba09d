"""A claim is committed and its reply never arrives: in every database."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shared.control.database import Database, Mode, Run
from shared.control.store import ControlStore
from shared.errors import StoreUnavailable
from shared.model import Term
from tests.integration.conftest import EXPIRATION_S, Site


class Forgetful(Database):
    """A database whose connection breaks between COMMIT and its reply, `replies_to_lose` times."""

    def __init__(self, database: Database) -> None:
        self.database, self.dialect, self.address = database, database.dialect, database.address
        self.replies_to_lose = 0

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        with self.database.transaction(mode) as run:
            yield run
        if self.replies_to_lose:
            self.replies_to_lose -= 1
            raise StoreUnavailable("The reply was lost")

    def close(self) -> None:
        self.database.close()


@pytest.fixture
def forgetful(site: Site) -> Forgetful:
    return Forgetful(site.database())


@pytest.fixture
def forgetful_store(site: Site, forgetful: Forgetful) -> ControlStore:
    site.stores.append(ControlStore(forgetful, site.group, EXPIRATION_S))
    return site.stores[-1]


def claim(store: ControlStore, owner_id: str = "a") -> Term | None:
    return store.claim("0", owner_id, EXPIRATION_S)


def lose_the_reply_of_a_claim(store: ControlStore, forgetful: Forgetful) -> None:
    forgetful.replies_to_lose = 1
    with pytest.raises(StoreUnavailable):
        claim(store)


def test_a_claim_whose_reply_was_lost_gives_the_same_term(forgetful_store: ControlStore, forgetful: Forgetful) -> None:
    lose_the_reply_of_a_claim(forgetful_store, forgetful)
    lose_the_reply_of_a_claim(forgetful_store, forgetful)
    assert claim(forgetful_store) == Term("0", "a", 1)
    assert claim(forgetful_store) is None


def test_a_claim_whose_reply_was_lost_is_nobody_elses(
    store: ControlStore, forgetful_store: ControlStore, forgetful: Forgetful
) -> None:
    lose_the_reply_of_a_claim(forgetful_store, forgetful)
    assert claim(store, "a") is None
    assert claim(store, "b") is None


def test_a_claim_whose_reply_was_lost_for_too_long_is_lost(
    site: Site, store: ControlStore, forgetful_store: ControlStore, forgetful: Forgetful
) -> None:
    lose_the_reply_of_a_claim(forgetful_store, forgetful)
    site.age(EXPIRATION_S + 5)
    assert claim(store, "b")
    assert claim(forgetful_store) is None
