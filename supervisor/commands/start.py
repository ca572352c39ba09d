"""`evsup start`: run the process tree in the foreground until a signal."""

import os
import secrets
import socket
from functools import partial
from pathlib import Path
from typing import Any

import click

from shared import config, log
from shared.azure import EventHubClient, HubFacts
from shared.clock import monotonic
from shared.settings import Settings
from shared.store.base import ControlStore
from shared.store.open import open_store
from shared.store.types import SupervisorRow
from shared.vitals import rss_bytes
from supervisor import options
from supervisor.lease import LeaseKeeper
from supervisor.signals import SignalInbox
from supervisor.state_dir import Lock, prepare, state_dir
from supervisor.status import StatusServer, TreeStatus
from supervisor.tree import Tree
from supervisor.version import VERSION

logger = log.get_logger()


@click.command()
@click.option(
    "--max-partitions", type=click.IntRange(min=1), metavar="N", help="Most partitions to claim; default: all."
)
@click.option(
    "--drain-timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds a drain may take; default: 30.",
)
@options.env_file
def start(max_partitions: int | None, drain_timeout: float | None, env_file: Path | None) -> None:
    """Claim partitions and run a worker process for each.

    Runs in the foreground until SIGTERM or Ctrl-C drains the tree; a second one stops it at once.
    """
    flags = {"EVSUP_MAX_PARTITIONS": max_partitions, "EVSUP_DRAIN_TIMEOUT": drain_timeout}
    loaded = config.load(env_file, overrides=flags)
    settings = loaded.settings
    log.configure(settings.process.log_format, settings.process.log_level)
    for warning in loaded.warnings:
        logger.warning("setting_suspicious", detail=warning)
    directory = state_dir(settings.process.state_dir)
    prepare(directory)
    lock = Lock(directory)
    os.environ.update(config.environment_for_worker(loaded))
    os.environ["EVSUP_LOG_FORMAT"] = settings.process.log_format or log.default_format()  # workers write to a pipe
    try:
        _run(settings, directory)
    finally:
        lock.release()


def _run(settings: Settings, directory: Path) -> None:
    with EventHubClient(settings.eventhub) as hub:
        facts, group = hub.hub(), hub.group
    store = open_store(settings.control, group, settings.eventhub.ownership_expiration)
    try:
        store.check()
        _run_tree(settings, directory, facts, store)
    finally:
        store.close()


def _run_tree(settings: Settings, directory: Path, facts: HubFacts, store: ControlStore) -> None:
    # From here on a signal waits for the tree, which drains before it has begun. Until here it ends the process: a
    # service that does not answer would hold it for minutes.
    signals = SignalInbox()
    me = _identity(settings)
    keeper = LeaseKeeper(store, me, facts.partition_ids, settings.eventhub)
    story = _story(settings, store, facts)
    tree = Tree(
        store.group.eventhub_name + "/" + store.group.consumer_group,
        signals,
        keeper,
        directory,
        settings.process.drain_timeout,
        len(facts.partition_ids),
        partial(_describe, story, me, monotonic()),
    )
    server = StatusServer(directory, lambda: tree.status)
    logger.info(
        "supervisor_started", **story, max_partitions=settings.process.max_partitions or "all", state_dir=str(directory)
    )
    try:
        tree.run()
    finally:
        server.close()
    logger.info("supervisor_drained")


def _identity(settings: Settings) -> SupervisorRow:
    """A new owner id a run: two runs, even of one host and pid, never share a term."""
    host, pid = socket.gethostname(), os.getpid()
    owner_id = f"{host}-{pid}-{secrets.token_hex(4)}"
    return SupervisorRow(owner_id, host, pid, settings.process.max_partitions, VERSION)


def _story(settings: Settings, store: ControlStore, facts: HubFacts) -> dict[str, Any]:
    """What is read, where it goes, who keeps count: the first line of the log, and the head of every status."""
    group, snowflake = store.group, settings.snowflake
    target = f"{snowflake.account}/{snowflake.database}.{snowflake.schema}.{snowflake.table}"
    return {
        "source": f"{group.fully_qualified_namespace}/{group.eventhub_name}",
        "consumer_group": group.consumer_group,
        "target": f"{target} through {snowflake.pipe_name}",
        "store": settings.control.store,
        "partitions_total": len(facts.partition_ids),
    }


def _describe(story: dict[str, Any], me: SupervisorRow, started_s: float, **running: Any) -> TreeStatus:
    partitions, unowned = running["partitions"], running["unowned"]
    everything = all(row.state == "running" for row in partitions) and not unowned and running["cause"] is None
    return TreeStatus(
        healthy=everything and running["state"] == "running",
        host=me.host,
        pid=me.pid,
        owner_id=me.owner_id,
        version=VERSION,
        uptime_s=round(monotonic() - started_s, 1),
        rss_bytes=rss_bytes(),
        **story,
        **running,
    )
