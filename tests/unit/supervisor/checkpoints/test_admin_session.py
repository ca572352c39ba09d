"""A command releases all partitions that it claimed, whatever fails meanwhile."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from shared.errors import StoreUnavailable
from shared.model import Term
from supervisor.checkpoints.admin_session import claimed
from tests.unit.shared.control.stores import Clock, Stores


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    made = Stores(tmp_path / "control.db", Clock())
    yield made
    made.close()


def test_partitions_are_released_in_one_call(stores: Stores) -> None:
    store, wire = stores.open()
    calls: list[int] = []
    with claimed(store, ["0", "1", "2"], "me@host"):
        wire.on_call = lambda: calls.append(1)
    assert len(calls) == 1
    assert {row.owner_id for row in store.ownerships()} == {""}


def test_a_release_that_fails_does_not_hide_the_error_of_the_command(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = stores.open()

    def fail(_: Sequence[Term]) -> int:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "release_all", fail)
    with pytest.raises(ZeroDivisionError), claimed(store, ["0", "1"], "me@host"):
        raise ZeroDivisionError
    with claimed(store, ["2"], "me@host"):
        pass
