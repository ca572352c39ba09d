"""Stands for the threads of `worker.pipeline.background`: a call ends at once, unless a test holds it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

import pytest

from worker.pipeline import background


class Calls:
    """What was submitted, by the name of its `Background`. It runs on the thread of whoever submits or releases it."""

    def __init__(self) -> None:
        self._held: dict[str, list[Callable[[], None]]] = {}

    def hold(self, name: str) -> None:
        """Calls of this name do not run until `release`."""
        self._held[name] = []

    def release(self, name: str) -> None:
        """Run what is held, and what is submitted from now on."""
        for run in self._held.pop(name):
            run()

    def is_held(self, name: str) -> bool:
        """Whether a call of this name was submitted and has not run."""
        return bool(self._held.get(name))

    def executor(self, _: int, thread_name_prefix: str) -> Executor:
        """In place of a `ThreadPoolExecutor`."""
        return _Inline(self, thread_name_prefix)

    def submit(self, name: str, run: Callable[[], None]) -> None:
        """Run it, or keep it."""
        if name in self._held:
            self._held[name].append(run)
        else:
            run()


class _Inline(Executor):
    def __init__(self, calls: Calls, name: str) -> None:
        self._calls, self._name = calls, name

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(call(*arguments, **named))
            except Exception as error:  # noqa: BLE001 (whoever takes the result raises it)
                future.set_exception(error)

        self._calls.submit(self._name, run)
        return future


@contextmanager
def without_threads() -> Iterator[Calls]:
    """As long as this lasts, no `Background` starts a thread."""
    calls = Calls()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "ThreadPoolExecutor", calls.executor)
        yield calls
