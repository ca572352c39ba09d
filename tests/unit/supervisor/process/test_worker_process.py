"""A worker is started with what it cannot know by itself, and a start that the kernel refuses is one clear error."""

import errno
from typing import Any

import pytest

import worker.main
from shared.config import environment
from shared.errors import ConfigurationError, LimitReached
from shared.eventhubs.identity import Identity
from shared.ipc import spawn
from shared.model import Term
from supervisor.process import worker_process

TERM = Term("0", "me", 1)


class NotStartedError(Exception):
    """Raised in place of a start."""


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_worker_knows_whether_its_supervisor_signed_in(monkeypatch: pytest.MonkeyPatch, signed_in: bool) -> None:
    given: list[Any] = []

    def not_started(*order: object, **_: object) -> None:
        given.append(order)
        raise NotStartedError

    monkeypatch.setattr(spawn, "start", not_started)
    monkeypatch.setattr(environment, "load_worker", not_started)
    monkeypatch.setattr(Identity, "has_signed_in", signed_in)
    with pytest.raises(NotStartedError):
        worker_process.start(TERM, 1.0)
    _, boot, _ = given[0]
    Identity.has_signed_in = not signed_in  # another process
    with pytest.raises(NotStartedError):
        worker.main.work(boot, boot)
    assert Identity.has_signed_in is signed_in


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EAGAIN, LimitReached), (errno.ENOMEM, LimitReached), (errno.EMFILE, ConfigurationError)],
)
def test_a_start_that_the_kernel_refuses_names_the_partition(
    monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(spawn, "start", refuse)
    with pytest.raises(kind, match="No worker can be started for partition 0"):
        worker_process.start(TERM, 1.0)
