"""What the tests of the control store do on every database: claim, write a row, read it back."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any, TypeVar

from shared.control.store import ControlStore
from shared.model import Checkpoint, Term
from tests.integration.conftest import EXPIRATION_S, Site

Result = TypeVar("Result")


def claim(store: ControlStore, owner_id: str = "a", partition_id: str = "0") -> Term | None:
    return store.claim(partition_id, owner_id, EXPIRATION_S)


def won(store: ControlStore, owner_id: str = "a", partition_id: str = "0") -> Term:
    term = claim(store, owner_id, partition_id)
    assert term is not None
    return term


def at(sequence_number: int | None, epoch: int, **more: Any) -> Checkpoint:
    offset = None if sequence_number is None else f"o{sequence_number}"
    return replace(Checkpoint("0", sequence_number, offset, epoch), **more)


def stored(store: ControlStore, partition_id: str = "0") -> Checkpoint:
    checkpoint = store.load_checkpoint(partition_id)
    assert checkpoint is not None
    return checkpoint


def as_written(loaded: Checkpoint) -> Checkpoint:
    """The checkpoint without the times that the database adds."""
    return replace(loaded, updated_at_s=None)


def damage(site: Site, change: str) -> None:
    """Write a value into the checkpoint row by SQL, as a person could."""
    site.sql(f"UPDATE evsup_checkpoint SET {change} WHERE eventhub_name = '{site.group.eventhub_name}'")  # noqa: S608


def all_at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))
