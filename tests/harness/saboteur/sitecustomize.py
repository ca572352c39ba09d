"""Turns a real worker against its tree: Python imports this by itself in every process that has it on PYTHONPATH.

`SABOTAGE` names the deed. It is done as soon as the file `SABOTAGE_GO` is there; without one, at once.
https://docs.python.org/3/library/site.html#module-sitecustomize
"""

import ctypes
import importlib
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

POLL_S = 0.02
LEFT_CODE = 3
HEADER = struct.Struct(">I")
NO_MESSAGE = HEADER.pack(3) + b"\xc1\xc1\xc1"  # the one byte that MessagePack never uses
HALF = HEADER.pack(100) + b"half of it"
OVERSIZE = HEADER.pack(2**31)


def leave() -> None:
    """Exit without reporting an error."""
    os._exit(LEFT_CODE)


def get_stuck() -> None:
    """Hold the interpreter's lock in native code: no thread of the process runs any more."""
    ctypes.PyDLL(None).sleep(600)


def crash(reason: str = "sabotage") -> None:
    """Raise what nobody expects, in the middle of the worker's loop."""

    def turn(*_: object) -> NoReturn:
        raise RuntimeError(reason)

    sys.modules["worker.pipeline.pipeline"].Pipeline.turn = turn


def spill() -> None:
    """The same, with every setting in the message: a library may quote what it was given."""
    crash(f"cannot use {dict(os.environ)}")


def say(noise: bytes) -> Callable[[], None]:
    """Put these bytes between the messages to the supervisor."""

    def deed() -> None:
        pipe = sys.modules["shared.ipc.pipe"].MessagePipe
        flush = pipe.flush

        def noisy_flush(self: Any) -> Any:
            pipe.flush = flush
            os.write(self.fileno(), noise)
            return flush(self)

        pipe.flush = noisy_flush

    return deed


def kill(worker: Callable[[], int], around: tuple[str, str], *, done: bool) -> Callable[[], None]:
    """Kill the worker as soon as it, or its task, is about to do something, or has done it."""

    def deed() -> None:
        module, _, owner = around[0].partition(":")
        place = importlib.import_module(module)
        place = getattr(place, owner) if owner else place
        original = getattr(place, around[1])

        def last(*arguments: Any, **named: Any) -> None:
            if done:
                original(*arguments, **named)
            os.kill(worker(), signal.SIGKILL)
            time.sleep(600)  # a task ends with its worker

        setattr(place, around[1], last)

    return deed


def raise_in(place: str) -> None:
    """Have `module:Class.method` or `module:function` raise, with every credential in the message."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)

    def fail(*_: object, **__: object) -> NoReturn:
        local = {each: os.environ[each] for each in os.environ["SABOTAGE_QUOTED"].split()}
        raise RuntimeError(f"sabotage of {' '.join(local.values())}")

    setattr(owner, name, fail)


SET_ASIDE = ("shared.snowflake.quarantine_table:Quarantine", "insert")
RECORD = ("shared.control.store:ControlStore", "record_quarantine")
DEEDS = {
    "die when rejected rows are read": kill(os.getppid, SET_ASIDE, done=False),
    "die when rejected rows are written": kill(os.getppid, SET_ASIDE, done=True),
    "die when rejected rows are recorded": kill(os.getpid, RECORD, done=True),
    "leave": leave,
    "get stuck": get_stuck,
    "crash": crash,
    "spill": spill,
    "say garbage": say(NO_MESSAGE),
    "say half a frame": say(HALF),
    "say an oversize frame": say(OVERSIZE),
}


def wait_for(path: str, deed: Callable[[], None]) -> None:
    """Do it when the file is there."""
    while not os.path.exists(path):  # noqa: PTH110 (pathlib is not needed by anybody else this early)
        time.sleep(POLL_S)
    deed()


if shift_s := float(os.environ.get("SABOTAGE_CLOCK_S", "0")):
    true_time = time.time
    time.time = lambda: true_time() + shift_s
if place := os.environ.get("SABOTAGE_RAISES"):
    raise_in(place)
if (name := os.environ.get("SABOTAGE")) and "--multiprocessing-fork" in sys.orig_argv:
    if go := os.environ.get("SABOTAGE_GO"):
        threading.Thread(target=wait_for, args=(go, DEEDS[name]), daemon=True).start()
    else:
        DEEDS[name]()
