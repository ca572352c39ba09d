"""`evsup start`: run the process tree in the foreground until a signal."""

import faulthandler
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

import click

import worker.main
import worker.tasks.quarantine
from shared import mapper
from shared.config import environment
from shared.config.settings import EventHubSettings, ProcessSettings, Settings
from shared.control.open import store_of
from shared.control.store import ControlStore
from shared.errors import EvsupError, RowsDoNotFit
from shared.eventhubs.client import EventHubClient
from shared.ipc import task
from shared.ipc.fork_server import ForkServer
from shared.limits import raise_descriptors
from shared.log.logger import configure, default_format, get_logger, keep_in
from shared.log.recent import RecentLines
from shared.model import HubFacts, SupervisorRow
from supervisor import last_failure, version
from supervisor.commands import shared_options
from supervisor.commands.command import Command
from supervisor.ownership.initial_positions import record_initial_positions
from supervisor.ownership.lease_keeper import LeaseKeeper
from supervisor.ownership.leases import Leases
from supervisor.ownership.other_groups import refuse_second_load
from supervisor.ownership.partition_discovery import HubQuery, PartitionDiscovery
from supervisor.process import notify_socket, signals, worker_process
from supervisor.process.child import Child
from supervisor.process.notify_socket import NotifySocket
from supervisor.process.signals import SignalInbox
from supervisor.process.table_watch.monitor import TableMonitor
from supervisor.process.table_watch.unchecked import unchecked, with_ranges
from supervisor.process.tree import Tree
from supervisor.process.worker_process import Begin
from supervisor.state_dir import Lock, prepare, state_dir
from supervisor.status.model import TreeStatus
from supervisor.status.otlp import extra
from supervisor.status.otlp.collector import cautions, collector_of
from supervisor.status.status_socket import StatusSocket
from worker import fork_server

QUARANTINE_S = 60.0  # to check the quarantine: a suspended warehouse has to start first

log = get_logger()


@click.command(
    cls=Command,
    page="docs/operations.md",
    examples={
        "evsup start": "Claim this supervisor's share of the partitions.",
        "evsup start --max-partitions 4": "Claim 4 at most; others are left to other supervisors.",
        "evsup start --env-file /etc/evsup/flights.env": "One tree of several on this host.",
    },
)
@shared_options.repeated(
    "--max-partitions",
    type=shared_options.OfSetting("EVSUP_MAX_PARTITIONS"),
    metavar="N",
    help="Most partitions to claim; default: EVSUP_MAX_PARTITIONS, else all.",
)
@shared_options.repeated(
    "--drain-timeout",
    type=shared_options.OfSetting("EVSUP_DRAIN_TIMEOUT"),
    metavar="S",
    help="Seconds a drain may take; default: EVSUP_DRAIN_TIMEOUT, else 30.",
)
@shared_options.env_file
def start(max_partitions: int | None, drain_timeout: float | None, env_file: Path | None) -> None:
    """Claim partitions and run a worker process for each.

    Runs in the foreground until SIGTERM or Ctrl-C drains the tree; a second one, or the end of --drain-timeout, stops
    it at once (75). SIGUSR1 logs the state of the tree and all stacks. SIGHUP is ignored.
    """
    faulthandler.enable()  # the watchdog of systemd sends SIGABRT: the log then says where the loop stood
    flags = {"EVSUP_MAX_PARTITIONS": max_partitions, "EVSUP_DRAIN_TIMEOUT": drain_timeout}
    with _failure_kept_for_status(env_file):
        loaded = environment.load(env_file, overrides=flags)
        settings = loaded.settings
        configure(settings.process.log_format, settings.process.log_level)
        for warning in loaded.warnings:
            log.warning("setting_suspicious", detail=warning)
        if settings.process.mapper:
            mapper.load(settings.process.mapper)  # before anything is claimed: a worker would fail with it
    directory = state_dir(settings.process.state_dir)
    prepare(directory)
    # First of what lasts: a second supervisor here would answer on the status socket of the first.
    lock = Lock(directory)
    service = notify_socket.take(os.environ)  # before the first process is started, which must not inherit it
    # Workers inherit it. No secret is ever sent through a pipe, and what was in an `.env` file reaches them, too.
    os.environ.update(environment.environment_for_worker(loaded))
    os.environ["EVSUP_LOG_FORMAT"] = settings.process.log_format or default_format()  # workers write to a pipe
    try:
        with last_failure.recorded(directory):
            _run(settings, directory, service)
    finally:
        # Signals first: a late one must not replace the exit code while the lock is released.
        signals.ignore_signals()
        lock.release()


@contextmanager
def _failure_kept_for_status(env_file: Path | None) -> Iterator[None]:
    """Keep a failure where `evsup status` looks, though the start has not come to its state directory yet.

    Not while a supervisor runs there, whose own failure is to be shown.
    """
    try:
        yield
    except EvsupError as error:
        with suppress(EvsupError):  # no directory, or a running supervisor: the failure itself is the one to report
            directory = state_dir(environment.load_one("EVSUP_STATE_DIR", env_file))
            prepare(directory)
            lock = Lock(directory)
            last_failure.record(directory, error)
            lock.release()
        raise


def _run(settings: Settings, directory: Path, service: NotifySocket) -> None:
    """Check what a start needs, and run the tree. Three things take long, and go on side by side: the imports of the
    fork server, the check of the target table, and the questions to hub and store.
    """
    server = ForkServer(fork_server.serve, worker.main.run, signals.HANDLED)
    with closing(server), _table_monitor(settings) as monitor, _ready_store(settings, monitor) as (store, facts):
        # The last thing to wait for: it has imported meanwhile. After a claim it would let partitions stand unread.
        server.await_boot()
        run_tree(settings, directory, facts, store, monitor, service, server.start)


@contextmanager
def _table_monitor(settings: Settings) -> Iterator[TableMonitor | None]:
    """Begin the check of the target table first, because it takes longest: hub and store are checked meanwhile."""
    if not settings.snowflake.check_columns:
        log.warning(
            "columns_not_checked",
            setting="SNOWFLAKE_CHECK_COLUMNS=false",
            consequence="a field without a column is dropped by Snowflake, and nobody notices",
        )
        yield None
        return
    with closing(TableMonitor(can_opt_out=settings.snowflake.row_format == "envelope")) as monitor:
        monitor.ask()
        yield monitor


@contextmanager
def _ready_store(settings: Settings, monitor: TableMonitor | None) -> Iterator[tuple[ControlStore, HubFacts]]:
    """The control store of a group that can begin, and the hub's partitions. Raises what a start ends with."""
    with EventHubClient(settings.eventhub) as hub:
        facts = hub.hub()
    # As soon as the number of workers is known, and before anything is claimed that could not be started.
    raise_descriptors(min(settings.process.max_partitions or len(facts.partition_ids), len(facts.partition_ids)))
    with closing(store_of(settings)) as store:
        store.check()
        if settings.snowflake.quarantines:
            store.check_audit()
            task.send(worker.tasks.quarantine.check, os.getpid(), QUARANTINE_S, "Snowflake does not answer")
        for doubt in _doubts(monitor, store) if monitor else ():
            log.warning("target_suspicious", detail=doubt)
        refuse_second_load(store, settings.snowflake)
        # Before the first claim: a partition without a row begins with its oldest event.
        record_initial_positions(store, settings.eventhub, facts)
        yield store, facts


def _doubts(monitor: TableMonitor, store: ControlStore) -> tuple[str, ...]:
    """What is doubtful about the table. Rows that do not fit end the start; those of an earlier tree are named."""
    try:
        return monitor.first_result()
    except RowsDoNotFit as error:
        ranges = tuple(unchecked(store.checkpoints()))
        raise (with_ranges(error, ranges) if ranges else error) from None


def run_tree(
    settings: Settings,
    directory: Path,
    facts: HubFacts,
    store: ControlStore,
    monitor: TableMonitor | None,
    service: NotifySocket | None = None,
    begin: Begin = worker_process.spawned,
) -> None:
    """Run the tree until it has drained. Raises what ended it otherwise."""
    # From here on a signal is left to the tree, which drains. Up to here it ends the process at once: a service that
    # does not answer would delay a drain for minutes.
    inbox = SignalInbox()
    me = _identity(settings)
    keeper = LeaseKeeper(Leases(store, me, facts.partition_ids, settings.eventhub))
    hub = _discovery(settings.eventhub, facts, keeper)
    status = _initial_status(settings, me, store, facts)
    make_child = partial(Child, start=partial(worker_process.start, turn_s=hub.start_turn_s, begin=begin))
    tree = Tree(
        status,
        inbox,
        keeper,
        hub,
        directory,
        drain_timeout_s=settings.process.drain_timeout,
        # Another limit, because the tree goes on: after so long the rows are committed or have failed.
        hand_over_timeout_s=settings.snowflake.commit_timeout,
        table=monitor,
        make_child=make_child,
        service=service,
    )

    def read() -> TreeStatus:
        return tree.status

    # Left in the opposite order: the group first, so that others can take the partitions, and the status last.
    with (
        closing(hub),
        _http_server(directory, settings.process, read),
        _push(read),
        _membership(store, me, keeper),
    ):
        _log_started(status, settings, directory)
        hub.start()
        tree.run()
    log.info("supervisor_drained")


def _discovery(settings: EventHubSettings, facts: HubFacts, keeper: LeaseKeeper) -> PartitionDiscovery:
    """What asks the hub for its partitions, the less often the more supervisors do."""
    leases = keeper.leases
    return PartitionDiscovery(
        HubQuery(settings),
        facts,
        settings.load_balancing_interval,
        keeper.learn,
        group_size=lambda: leases.group_size,
        starting=lambda: leases.starting,
    )


def _log_started(status: TreeStatus, settings: Settings, directory: Path) -> None:
    log.info(
        "supervisor_started",
        source=status.source,
        consumer_group=status.consumer_group,
        target=status.target,
        store=status.store,
        partitions_total=status.partitions_total,
        max_partitions=settings.process.max_partitions or "all",
        state_dir=str(directory),
        http=settings.process.http_address or "off",
    )


@contextmanager
def _membership(store: ControlStore, me: SupervisorRow, keeper: LeaseKeeper) -> Iterator[None]:
    """Become a member of the group, last of all: from then on the other members leave us our share.

    The heartbeat is also the first write: a store that can only be read (a standby, a missing grant) ends the start
    here. A start that fails before the keeper takes over withdraws the heartbeat, or the other members would leave our
    share unread until it expires.
    """
    store.heartbeat(me)
    try:
        yield
    finally:
        if not keeper.has_started:
            keeper.leases.retire()


@contextmanager
def _http_server(directory: Path, settings: ProcessSettings, read: Callable[[], TreeStatus]) -> Iterator[None]:
    """One server for the status socket and, if there is one, the address."""
    from supervisor.status.http.server import HttpServer, listen

    recent = RecentLines()
    keep_in(recent)
    with closing(StatusSocket(directory)) as local:
        sockets = [local.listener, *([listen(settings.http_address)] if settings.http_address else [])]
        with closing(HttpServer(sockets, read, recent, names=settings.http_names, renewed=local.renewed)):
            yield


def _push(read: Callable[[], TreeStatus]) -> AbstractContextManager[object]:
    """Metrics pushed by OTLP, where the environment names a collector. Otherwise nothing of it is even imported."""
    collector = collector_of(os.environ)
    for caution in cautions(os.environ):
        log.warning("setting_suspicious", detail=caution)
    return closing(extra.load()(collector, read)) if collector else nullcontext()


def _identity(settings: Settings) -> SupervisorRow:
    """Each run has a new owner id, so two runs never share a term, not even with the same host and pid."""
    host, pid = socket.gethostname(), os.getpid()
    owner_id = f"{host}-{pid}-{secrets.token_hex(4)}"
    return SupervisorRow(owner_id, host, pid, settings.process.max_partitions, version.installed())


def _initial_status(settings: Settings, me: SupervisorRow, store: ControlStore, facts: HubFacts) -> TreeStatus:
    """What is known before the first claim: supervisor, source, target and store."""
    group, snowflake = store.group, settings.snowflake
    target = f"{snowflake.account}/{snowflake.database}.{snowflake.schema}.{snowflake.table}"
    return TreeStatus(
        host=me.host,
        pid=me.pid,
        owner_id=me.owner_id,
        evsup=me.version,
        source=group.hub,
        consumer_group=group.consumer_group,
        target=f"{target} through {snowflake.pipe_name}",
        store=settings.control.store,
        partitions_total=len(facts.partition_ids),
    )
