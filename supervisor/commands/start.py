"""`evsup start`: run the process tree in the foreground until a signal."""

import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import click

import worker.tasks.quarantine
from shared.config import environment
from shared.config.settings import Settings
from shared.control.open import store_of
from shared.control.store import ControlStore
from shared.eventhubs.client import EventHubClient
from shared.ipc import task
from shared.limits import raise_descriptors
from shared.log.logger import configure, default_format, get_logger
from shared.model import HubFacts, SupervisorRow
from supervisor.commands import options
from supervisor.ownership.initial_positions import record_initial_positions
from supervisor.ownership.lease import LeaseKeeper
from supervisor.ownership.partition_discovery import HubQuery, PartitionDiscovery
from supervisor.process import signals
from supervisor.process.signals import SignalInbox
from supervisor.process.table_monitor import TableMonitor
from supervisor.process.tree import Tree
from supervisor.state_dir import Lock, prepare, state_dir
from supervisor.status.model import TreeStatus
from supervisor.status.status_socket import StatusServer
from supervisor.version import VERSION

QUARANTINE_S = 60.0  # of Snowflake, to look at the quarantine: a suspended warehouse starts first

log = get_logger()


@click.command()
@options.repeated(
    "--max-partitions",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most partitions to claim; default: EVSUP_MAX_PARTITIONS, else all.",
)
@options.repeated(
    "--drain-timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds a drain may take; default: EVSUP_DRAIN_TIMEOUT, else 30.",
)
@options.env_file
def start(max_partitions: int | None, drain_timeout: float | None, env_file: Path | None) -> None:
    """Claim partitions and run a worker process for each.

    Runs in the foreground until SIGTERM or Ctrl-C drains the tree; a second one, or the end of --drain-timeout, stops
    it at once (75). SIGUSR1 logs its state and all stacks, SIGHUP is ignored.
    """
    flags = {"EVSUP_MAX_PARTITIONS": max_partitions, "EVSUP_DRAIN_TIMEOUT": drain_timeout}
    loaded = environment.load(env_file, overrides=flags)
    settings = loaded.settings
    configure(settings.process.log_format, settings.process.log_level)
    for warning in loaded.warnings:
        log.warning("setting_suspicious", detail=warning)
    directory = state_dir(settings.process.state_dir)
    prepare(directory)
    lock = Lock(directory)
    os.environ.update(environment.environment_for_worker(loaded))
    os.environ["EVSUP_LOG_FORMAT"] = settings.process.log_format or default_format()  # workers write to a pipe
    try:
        _run(settings, directory)
    finally:
        signals.ignore_signals()
        lock.release()


def _run(settings: Settings, directory: Path) -> None:
    with _table_watch(settings) as watch:
        _run_watched(settings, directory, watch)


@contextmanager
def _table_watch(settings: Settings) -> Iterator[TableMonitor | None]:
    """Have the table looked at while the hub and the store are; it takes longest."""
    if not settings.snowflake.check_columns:
        log.warning(
            "columns_not_checked",
            setting="SNOWFLAKE_CHECK_COLUMNS=false",
            consequence="a field without a column is dropped by Snowflake, and nobody notices",
        )
        yield None
        return
    with closing(TableMonitor()) as watch:
        watch.ask()
        yield watch


def _run_watched(settings: Settings, directory: Path, watch: TableMonitor | None) -> None:
    with EventHubClient(settings.eventhub) as hub:
        facts = hub.hub()
    raise_descriptors(min(settings.process.max_partitions or len(facts.partition_ids), len(facts.partition_ids)))
    store = store_of(settings)
    try:
        store.check()
        if settings.snowflake.quarantines:
            store.check_audit()
            task.send(worker.tasks.quarantine.check, os.getpid(), QUARANTINE_S, "Snowflake does not answer")
        for doubt in watch.first() if watch else ():
            log.warning("target_suspicious", detail=doubt)
        record_initial_positions(store, settings.eventhub, facts)
        _run_tree(settings, directory, facts, store, watch)
    finally:
        store.close()


def _run_tree(
    settings: Settings, directory: Path, facts: HubFacts, store: ControlStore, watch: TableMonitor | None
) -> None:
    # From here on a signal waits for the tree, which drains before it has begun. Until here it ends the process: a
    # service that does not answer would hold it for minutes.
    inbox = SignalInbox()
    me = _identity(settings)
    keeper = LeaseKeeper(store, me, facts.partition_ids, settings.eventhub)
    interval_s = settings.eventhub.load_balancing_interval
    hub = PartitionDiscovery(HubQuery(settings.eventhub), facts, interval_s, keeper.learn, lambda: keeper.group_size)
    told = _told(settings, me, store, facts)
    tree = Tree(
        told,
        inbox,
        keeper,
        hub,
        directory,
        settings.process.drain_timeout,
        settings.snowflake.commit_timeout,
        watch=watch,
    )

    def read() -> TreeStatus:
        return tree.status

    with (
        closing(hub),
        closing(StatusServer(directory, read)),
        _http_server(settings.process.http_address, read),
        _membership(store, me, keeper),
    ):
        log.info(
            "supervisor_started",
            source=told.source,
            consumer_group=told.consumer_group,
            target=told.target,
            store=told.store,
            partitions_total=told.partitions_total,
            max_partitions=settings.process.max_partitions or "all",
            state_dir=str(directory),
            http=settings.process.http_address or "off",
        )
        hub.start()
        tree.run()
    log.info("supervisor_drained")


@contextmanager
def _membership(store: ControlStore, me: SupervisorRow, keeper: LeaseKeeper) -> Iterator[None]:
    """Say that we live, last of all: from then on the others leave us our share of the partitions.

    A store that can be read and not written (a standby, a missing grant) ends the start here. A start that fails before
    the keeper takes over takes the heartbeat back, or the others would wait for us until it expires.
    """
    store.heartbeat(me)
    try:
        yield
    finally:
        if not keeper.has_started:
            keeper.retire()


def _http_server(address: str | None, read: Callable[[], TreeStatus]) -> AbstractContextManager[object]:
    """The HTTP endpoint, if there is an address for it; else nothing, and nothing of it is imported."""
    if address is None:
        return nullcontext()
    from supervisor.status.http_server import HttpServer

    return closing(HttpServer(address, read))


def _identity(settings: Settings) -> SupervisorRow:
    """A new owner id a run: two runs, even of one host and pid, never share a term."""
    host, pid = socket.gethostname(), os.getpid()
    owner_id = f"{host}-{pid}-{secrets.token_hex(4)}"
    return SupervisorRow(owner_id, host, pid, settings.process.max_partitions, VERSION)


def _told(settings: Settings, me: SupervisorRow, store: ControlStore, facts: HubFacts) -> TreeStatus:
    """What is known before the first claim: who runs, what is read, where it goes, who keeps count."""
    group, snowflake = store.group, settings.snowflake
    target = f"{snowflake.account}/{snowflake.database}.{snowflake.schema}.{snowflake.table}"
    return TreeStatus(
        host=me.host,
        pid=me.pid,
        owner_id=me.owner_id,
        version=me.version,
        source=group.hub,
        consumer_group=group.consumer_group,
        target=f"{target} through {snowflake.pipe_name}",
        store=settings.control.store,
        partitions_total=len(facts.partition_ids),
    )
