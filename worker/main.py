"""The process of one worker, from its first line to its exit code."""

import faulthandler
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setproctitle import setproctitle

from shared.clock import Deadline
from shared.config import environment
from shared.control.open import store_of
from shared.errors import ExitCode, StoppedAtOnce
from shared.eventhubs.client import consumer_group
from shared.eventhubs.identity import Identity
from shared.ipc.failure import error_of, failure_message
from shared.ipc.messages import Command, Lease, TableColumns
from shared.ipc.pipe import MessagePipe
from shared.log.logger import begin, configure, flush, get_logger
from shared.model import Term
from shared.snowflake.channel_name import channel_name
from worker import guard, memory
from worker.loop import Worker
from worker.partition import OwnedPartition
from worker.sink import sdk_log
from worker.sink.channel import Channel
from worker.sink.sdk import prepare

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

FLUSH_S = 2.0  # for the failure message to leave
IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Writes the stacks of all threads to stderr. Its handler is in C, and so runs while the interpreter is stuck.
STACKS = signal.SIGUSR1

log = get_logger()


@dataclass(frozen=True, slots=True)
class Boot:
    """What a worker is started with. Settings come through the environment, because secrets are not sent."""

    term: Term
    lease: Lease
    supervisor_pid: int
    has_signed_in: bool
    """Whether the supervisor had a token for Event Hubs. If so, a worker waits for a sign-in service that does not
    answer.
    """
    asks_from_s: float
    """From when on it may ask the hub, on the host's monotonic clock: all that start at once share what it answers."""
    columns: TableColumns | None = None
    """Of the target table, where rows have a column for each key."""


def run(boot: Boot, pipe: "Connection[bytes, bytes]", stderr: "Connection[bytes, bytes]") -> None:
    """Run one partition until it has drained (exit 0) or failed (the error's exit code). Never returns."""
    messages: MessagePipe[Command] = MessagePipe(pipe, Command)
    code = ExitCode.OK
    try:
        _become_child(boot, stderr)  # which fails where no thread is left for the log
        work(boot, messages)
    except Exception as error:  # noqa: BLE001 (it is reported)
        code = _report_failure(error, messages)
    # The message first: the supervisor acts on it, while the log is for people, and its reader may be slow.
    messages.flush_until(Deadline.after(FLUSH_S))
    flush()
    # This runs no finalizers: a channel's would flush without a timeout. What the SDK has not sent is read again.
    os._exit(code)


def _become_child(boot: Boot, stderr: "Connection[bytes, bytes]") -> None:
    """End with the supervisor, log through it, and ignore signals: one to the process group is for the supervisor."""
    # First of all: from the first line on this process must not outlive its supervisor.
    guard.die_with(boot.supervisor_pid)
    # A copy of the fork server has its title until it is given another, and an open may take minutes.
    setproctitle(f"evsup worker p={boot.term.partition_id}")
    # By descriptor: what native code writes there goes to the supervisor, too.
    os.dup2(stderr.fileno(), sys.stderr.fileno())
    faulthandler.enable()
    begin("info", partition=boot.term.partition_id, epoch=boot.term.epoch)
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    faulthandler.register(STACKS, all_threads=True, chain=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [STACKS])  # the supervisor starts workers with it blocked


def work(boot: Boot, messages: MessagePipe[Command]) -> None:
    """Read the partition until the work ends. Raises what ended it."""
    # Before anything asks for a token: a credential that has worked once is waited for, another one fails the start.
    Identity.has_signed_in = boot.has_signed_in
    settings = environment.load_worker()
    term = boot.term
    configure(settings.process.log_format, settings.process.log_level, partition=term.partition_id, epoch=term.epoch)
    # In this order, and all before the SDK is imported: preparing sets the log level that the operator may have set,
    # and following the log takes over standard output.
    wants_sdk_log = "SS_LOG_LEVEL" in os.environ
    prepare(settings.snowflake)
    requests = sdk_log.follow(pass_on_all=wants_sdk_log)
    group = consumer_group(settings.eventhub)
    name = channel_name(settings.snowflake.channel_prefix, group, boot.term.partition_id)
    channel = Channel(settings.snowflake, name, requests)
    store = store_of(settings)
    worker = Worker(
        OwnedPartition(settings, term, channel, store, boot.columns, boot.asks_from_s), boot.lease, messages
    )
    memory.tune_collector()  # now that all that stays has been made
    # Last before the loop: the guard would end a worker that boots slowly and whose renewals nobody has read yet.
    guard.watch(lambda: worker.trusted_until_s)
    worker.run()


def _report_failure(error: Exception, messages: MessagePipe[Command]) -> ExitCode:
    failed = failure_message(error)
    known = error_of(failed)  # as the supervisor will know it
    if not isinstance(known, StoppedAtOnce):  # the supervisor logs that once for all workers
        log.error("worker_failed", error=failed.error, reason=str(known), traceback=failed.traceback or None)
    messages.send(failed)
    return known.exit_code
