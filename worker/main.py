"""The process of one worker, from its first line to its exit code."""

import faulthandler
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.clock import Deadline
from shared.config import environment
from shared.control.open import store_of
from shared.errors import ExitCode
from shared.eventhubs.client import consumer_group
from shared.eventhubs.identity import Identity
from shared.ipc.failure import last_word
from shared.ipc.messages import Command, Lease
from shared.ipc.pipe import MessagePipe
from shared.log.logger import begin, configure, flush, get_logger
from shared.model import Term
from shared.snowflake.channel_name import channel_name
from worker import guard, memory
from worker.loop import Worker
from worker.partition import OwnedPartition
from worker.sink import sdk_log
from worker.sink.channel import Channel, keep_off_stdout, prepare_environment

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LAST_WORD_S = 2.0
IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STACKS = signal.SIGUSR1  # of all threads, to stderr; by a handler in C, which runs while the interpreter is stuck

log = get_logger()


@dataclass(frozen=True, slots=True)
class Boot:
    """What a worker is started with. Settings come through the environment, because secrets do not travel."""

    term: Term
    lease: Lease
    supervisor_pid: int
    has_signed_in: bool
    """Whether the supervisor had a token for Event Hubs: a worker then waits for a sign-in service that is away."""


def run(boot: Boot, pipe: "Connection[bytes, bytes]", stderr: "Connection[bytes, bytes]") -> None:
    """Run one partition until it drained (exit 0) or failed (the error's exit code). Never returns."""
    _become_child(boot, stderr)
    messages: MessagePipe[Command] = MessagePipe(pipe, Command)
    code = ExitCode.OK
    try:
        _work(boot, messages)
    except Exception as error:  # noqa: BLE001 (the last word of this process)
        code = _say_failed(error, messages)
    messages.flush_until(Deadline.after(LAST_WORD_S))
    flush()
    # No finalizers: a channel's would flush, without a timeout. What the SDK has not sent is dropped and read again.
    os._exit(code)


def _become_child(boot: Boot, stderr: "Connection[bytes, bytes]") -> None:
    """Die with the supervisor, log through it, and leave signals to it: a signal to the group is for the supervisor."""
    guard.die_with(boot.supervisor_pid)
    os.dup2(stderr.fileno(), sys.stderr.fileno())
    faulthandler.enable()
    begin("info", partition=boot.term.partition_id, epoch=boot.term.epoch)
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    faulthandler.register(STACKS, all_threads=True, chain=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [STACKS])  # it was born with it blocked


def _work(boot: Boot, messages: MessagePipe[Command]) -> None:
    Identity.has_signed_in = boot.has_signed_in
    settings = environment.load_worker()
    term = boot.term
    configure(settings.process.log_format, settings.process.log_level, partition=term.partition_id, epoch=term.epoch)
    wants_sdk_log = "SS_LOG_LEVEL" in os.environ
    prepare_environment(settings.snowflake)
    keep_off_stdout()
    uploads = sdk_log.follow(pass_on_all=wants_sdk_log)
    group = consumer_group(settings.eventhub)
    name = channel_name(settings.snowflake.channel_prefix, group, boot.term.partition_id)
    channel = Channel(settings.snowflake, name, uploads)
    store = store_of(settings)
    worker = Worker(OwnedPartition(settings, term, channel, store), boot.lease, messages)
    memory.settle()
    guard.watch(lambda: worker.trusted_until_s)
    worker.run()


def _say_failed(error: Exception, messages: MessagePipe[Command]) -> ExitCode:
    known, failed = last_word(error)
    log.error("worker_failed", error=failed.error, reason=str(known), traceback=failed.traceback or None)
    messages.send(failed)
    return known.exit_code
