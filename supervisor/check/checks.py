"""The checks of `evsup check`, in order, and what each one needs from those before it."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from shared import mapper
from shared.config import environment
from shared.config.settings import Settings
from shared.control.open import store_of
from shared.control.store import ControlStore
from shared.counted import counted
from shared.errors import NotPermitted, ServiceUnavailable
from shared.eventhubs import client
from shared.eventhubs.client import QUESTIONS_PER_S, EventHubClient
from shared.ipc.messages import ChannelStatus
from shared.ipc.task import BOOT_S
from shared.model import Checkpoint, HubFacts, PartitionFacts
from shared.snowflake.session import SqlSession
from shared.timeout import within
from supervisor.check import column_types, event_hubs, partitions
from supervisor.check.control_store import with_sessions
from supervisor.check.positions import start_outcome
from supervisor.check.runner import Check, Outcome
from supervisor.check.snowflake import SnowflakeChecks, quarantine
from supervisor.checkpoints.channels import statuses_of_partitions
from supervisor.ownership.other_groups import refuse_second_load
from supervisor.target.sample import SAMPLE_S
from supervisor.target.target_check import TargetCheck, with_opt_out
from supervisor.version import sdks

IMPORT_S = 60.0  # of an SDK, where the host has little of a processor to give
REGISTRY_S = 20.0  # with a sign-in before it
PARTITION_S = 10.0  # for the hub to answer for one
LOGIN_S = 8.0  # below the limit of a check
STREAMING_S = 15.0  # a refused login takes the SDK nine more tries, which last 10 s, before it says why (measured)


@dataclass(frozen=True, slots=True)
class AskedFor:
    """The checks that only some settings need."""

    mapper: str | None = None
    """Its path."""
    schema_registry: bool = False
    pipe_definition: bool = False
    column_types: bool = False
    quarantine: bool = False

    @classmethod
    def by(cls, settings: Settings) -> "AskedFor":
        """Those that these settings need."""
        mapper, snowflake = settings.process.mapper, settings.snowflake
        return cls(
            mapper,
            schema_registry=settings.eventhub.schema_registry is not None,
            pipe_definition=snowflake.pipe is not None,
            # A mapper's keys are not those of the bodies.
            column_types=snowflake.row_format == "columns" and mapper is None,
            quarantine=snowflake.quarantines,
        )


class StartChecks:
    """Makes the checks, and keeps what they find for the later ones.

    The checks that need one that failed do not run. So each attribute is there whenever it is read.
    """

    _settings: Settings
    _store: ControlStore
    _snowflake: SnowflakeChecks
    _checkpoints: Mapping[str, Checkpoint]
    _channels: Mapping[str, ChannelStatus]
    _answers: Mapping[str, Future[PartitionFacts]]

    def __init__(self, env_file: Path | None, others: Callable[[Mapping[str, str]], Iterable[str]]) -> None:
        """`others` returns the warnings about variables of the environment that are no settings, and raises what a
        start would end with because of them.
        """
        self._env_file, self._others = env_file, others
        self._asked_for = AskedFor()
        self._hub_facts = HubFacts((), 0.0)
        self._target: TargetCheck | None = None
        """None: the role may not see the columns."""
        self._channels, self._answers = {}, {}

    def stages(self) -> Iterator[Sequence[Check]]:
        """In the order of a start. What is in the last two is known when the ones before have ended."""
        yield [Check("config", self._load, limit_s=IMPORT_S)]
        yield list(self._services(self._asked_for))
        # Asked for after the tokens, so that the hub's last event is never before one.
        partition_ids = self._hub_facts.partition_ids
        if self._channels:
            hub = EventHubClient(self._settings.eventhub)
            self._answers = hub.ask_partitions(partition_ids, self._hub_facts, PARTITION_S)
        # The last of them waits until all have been asked.
        limit_s = 2 * PARTITION_S + len(partition_ids) / QUESTIONS_PER_S
        yield [Check(f"partition {each}", partial(self._partition, each), ["pipe"], limit_s) for each in partition_ids]

    def _services(self, asked_for: AskedFor) -> Iterator[Check]:
        if asked_for.mapper:
            yield Check("mapper", partial(_mapper, asked_for.mapper), ["config"])
        yield Check("identity", self._identity, ["config"])
        yield Check("hub", self._hub, ["identity"])
        yield Check("consumer group", self._group, ["hub"])
        if asked_for.schema_registry:
            yield Check("schema registry", self._schema_registry, ["config"], REGISTRY_S)
        yield Check("control store", self._control_store, ["config"], after=["hub"])
        yield Check("partitions", self._ownership, ["hub", "control store"])
        yield Check("snowflake login", self._login, ["config"])
        yield Check("storage", self._storage, ["snowflake login"])
        yield Check("table", self._table, ["snowflake login"])
        if asked_for.pipe_definition:
            yield Check("pipe definition", self._pipe_definition, ["table"])
        if asked_for.column_types:
            yield Check("column types", self._column_types, ["hub", "table"], SAMPLE_S)
        yield Check("insert", self._insert, ["table"])
        yield Check("error logging", self._error_logging, ["table"])
        if asked_for.quarantine:
            yield Check("quarantine", self._quarantine, ["table", "control store"], after=["partitions"])
        yield Check("pipe", self._pipe, ["hub", "control store"], STREAMING_S + BOOT_S)

    def _load(self) -> Outcome:
        loaded = environment.load(self._env_file)
        os.environ.update(environment.environment_for_worker(loaded))
        warnings = (*loaded.warnings, *self._others(os.environ))
        self._settings, self._asked_for = loaded.settings, AskedFor.by(loaded.settings)
        import_module("snowflake.connector")  # not in the time that a service has to answer
        if warnings:
            return Outcome("; ".join(warnings), "warn")
        return Outcome(f"all settings can be used, by {' and '.join(sdks())}")

    def _identity(self) -> Outcome:
        return event_hubs.identity(self._settings.eventhub)

    def _hub(self) -> Outcome:
        self._hub_facts = event_hubs.hub(self._settings.eventhub)
        group = client.consumer_group(self._settings.eventhub)
        partitions_total = counted(len(self._hub_facts.partition_ids), "partition")
        return Outcome(f"{group.eventhub_name} on {group.fully_qualified_namespace}, {partitions_total}")

    def _group(self) -> Outcome:
        return event_hubs.consumer_group(self._settings.eventhub, self._hub_facts.partition_ids[0])

    def _schema_registry(self) -> Outcome:
        return event_hubs.schema_registry(self._settings.eventhub)

    def _control_store(self) -> Outcome:
        self._store = store_of(self._settings)
        self._store.check()
        self._store.check_writes()
        self._checkpoints = {row.partition_id: row for row in self._store.checkpoints()}
        detail = f"{self._settings.control.store}, {counted(len(self._checkpoints), 'checkpoint')}"
        return with_sessions(detail, self._store.sessions(), len(self._hub_facts.partition_ids))

    def _ownership(self) -> Outcome:
        refuse_second_load(self._store, self._settings.snowflake)
        rows, members = self._store.ownerships(), self._store.supervisors()
        return partitions.ownership_outcome(self._hub_facts.partition_ids, rows, self._checkpoints, members)

    def _login(self) -> Outcome:
        settings = self._settings
        self._snowflake = SnowflakeChecks(settings.snowflake, SqlSession(settings.snowflake))
        needs_sql = settings.snowflake.check_columns or settings.snowflake.quarantines
        if needs_sql or settings.control.store == "snowflake":
            return self._snowflake.login()
        # Rows need no SQL then. A network may let the streaming service through alone, and a start would work.
        try:
            return within(LOGIN_S, self._snowflake.login)
        except (ServiceUnavailable, NotPermitted, TimeoutError) as error:
            return Outcome(f"{error}, and a start needs no SQL with SNOWFLAKE_CHECK_COLUMNS=false", "skipped")

    def _storage(self) -> Outcome:
        return self._snowflake.storage()

    def _table(self) -> Outcome:
        """Whether rows fit the table. A failure is the error that a start would end with."""
        try:
            self._target = self._snowflake.target()
        except NotPermitted as error:
            return self._not_visible(error)
        self._target.refuse_table()
        misfits = self._target.misfits
        if misfits:
            fixes = " ".join(dict.fromkeys(each.fix for each in misfits))
            return Outcome("; ".join(each.problem for each in misfits), "warn", fixes)
        return Outcome(f"{len(self._target.stored)} columns, and rows fit")

    def _not_visible(self, error: NotPermitted) -> Outcome:
        if self._settings.snowflake.check_columns:
            raise (with_opt_out(error) if self._settings.snowflake.row_format == "envelope" else error) from error
        return Outcome(f"{error.what}: SNOWFLAKE_CHECK_COLUMNS=false lets a start go on", "warn", error.fix)

    def _pipe_definition(self) -> Outcome:
        """Whether the named pipe makes one row of each event."""
        if self._target is None:
            return Outcome("SNOWFLAKE_CHECK_COLUMNS=false starts without checking it", "warn")
        try:
            self._target.refuse_pipe()
        except NotPermitted as error:
            return self._not_visible(error)
        return Outcome(self._target.pipe_summary)

    def _column_types(self) -> Outcome:
        if self._target is None:
            return Outcome("the role may not see the columns", "skipped")
        return column_types.column_types(self._hub_facts.partition_ids, self._target)

    def _insert(self) -> Outcome:
        return self._snowflake.insert()

    def _error_logging(self) -> Outcome:
        return self._snowflake.error_logging()

    def _quarantine(self) -> Outcome:
        return quarantine(self._settings, self._store)

    def _pipe(self) -> Outcome:
        """Whether Snowpipe Streaming answers with the status of each channel."""
        settings = self._settings.snowflake
        group = client.consumer_group(self._settings.eventhub)
        checkpoints = map(self._checkpoint, self._hub_facts.partition_ids)
        self._channels = statuses_of_partitions(settings.channel_prefix, group, checkpoints, STREAMING_S)
        return Outcome(settings.pipe_name)

    def _partition(self, partition_id: str) -> Outcome:
        facts = self._answers[partition_id].result()
        channel, settings = self._channels[partition_id], self._settings
        outcome = start_outcome(
            self._checkpoint(partition_id),
            channel,
            facts,
            settings.eventhub,
            quarantines=settings.snowflake.quarantines,
        )
        # Where the group has rows, a partition without one came later (docs/decisions/starting-position.md).
        is_added = bool(self._checkpoints) and partition_id not in self._checkpoints and channel.token is None
        return Outcome("begins with its oldest event: it was added after the group began") if is_added else outcome

    def _checkpoint(self, partition_id: str) -> Checkpoint:
        return self._checkpoints.get(partition_id) or Checkpoint.empty(partition_id)


def _mapper(path: str) -> Outcome:
    """Whether the mapper can be imported."""
    mapper.load(path)
    return Outcome(path)
