"""Which questions there are, and what each needs to have been answered."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from shared.config import environment
from shared.config.settings import Settings
from shared.control.open import store_of
from shared.control.store import ControlStore
from shared.errors import NotPermitted, ServiceUnavailable
from shared.eventhubs import client
from shared.eventhubs.client import EventHubClient
from shared.ipc.messages import ChannelStatus
from shared.ipc.task import BOOT_S
from shared.model import Checkpoint, HubFacts
from shared.timeout import within
from supervisor.check import event_hubs, partitions
from supervisor.check.positions import reconciled
from supervisor.check.room import with_room
from supervisor.check.runner import Answer, Check
from supervisor.check.snowflake import Account, quarantine
from supervisor.checkpoints.channels import statuses_of_partitions
from supervisor.target.rows_fit import Fit, or_without

LOGIN_S = 8.0  # within what a check may take
STREAMING_S = 15.0  # the SDK says of a login that is refused why, after nine more tries that take 10 s


class Preflight:
    """Makes the checks, and keeps what they found for those that come after."""

    _settings: Settings
    _facts: HubFacts
    _store: ControlStore
    _account: Account
    _checkpoints: Mapping[str, Checkpoint]
    _channels: Mapping[str, ChannelStatus]

    def __init__(self, env_file: Path | None) -> None:
        self._env_file = env_file
        self._partition_ids: Sequence[str] = ()
        self._sets_aside = self._has_pipe = False
        self._fit: Fit | None = None

    def checks(self) -> Iterator[Check]:
        """In the order in which a start meets them; a partition each at the end, once the hub has told them."""
        yield Check("config", self._load)
        yield Check("identity", self._identity, ["config"])
        yield Check("hub", self._hub, ["identity"])
        yield Check("consumer group", self._group, ["hub"])
        yield Check("control store", self._control, ["config"])
        yield Check("partitions", self._held, ["hub", "control store"])
        yield Check("snowflake login", self._login, ["config"])
        yield Check("storage", self._storage, ["snowflake login"])
        yield Check("table", self._table, ["snowflake login"])
        if self._has_pipe:
            yield Check("pipe definition", self._definition, ["table"])
        yield Check("insert", self._insert, ["table"])
        yield Check("error logging", self._error_logging, ["table"])
        if self._sets_aside:
            yield Check("quarantine", self._quarantine, ["table", "control store"])
        yield Check("pipe", self._pipe, ["hub", "control store"], STREAMING_S + BOOT_S)
        for partition_id in self._partition_ids:
            yield Check(f"partition {partition_id}", partial(self._partition, partition_id), ["pipe"])

    def _load(self) -> Answer:
        loaded = environment.load(self._env_file)
        os.environ.update(environment.environment_for_worker(loaded))
        self._settings = loaded.settings
        self._sets_aside = self._settings.snowflake.quarantines
        self._has_pipe = self._settings.snowflake.pipe is not None
        if loaded.warnings:
            return Answer("; ".join(loaded.warnings), "warn")
        return Answer("all settings can be used")

    def _identity(self) -> Answer:
        return event_hubs.identity(self._settings.eventhub)

    def _hub(self) -> Answer:
        self._facts = event_hubs.hub(self._settings.eventhub)
        self._partition_ids = self._facts.partition_ids
        group = client.consumer_group(self._settings.eventhub)
        count = len(self._partition_ids)
        return Answer(f"{group.eventhub_name} on {group.fully_qualified_namespace}, {count} partitions")

    def _group(self) -> Answer:
        return event_hubs.consumer_group(self._settings.eventhub, self._partition_ids[0])

    def _control(self) -> Answer:
        settings = self._settings
        self._store = store_of(settings)
        self._store.check()
        self._checkpoints = {row.partition_id: row for row in self._store.checkpoints()}
        found = f"{settings.control.store}, {len(self._checkpoints)} checkpoints"
        return with_room(found, self._store.sessions(), len(self._partition_ids))

    def _held(self) -> Answer:
        rows, members = self._store.ownerships(), self._store.supervisors()
        return partitions.held(self._partition_ids, rows, self._checkpoints, members)

    def _login(self) -> Answer:
        self._account = Account(self._settings.snowflake)
        settings = self._settings
        if settings.snowflake.check_columns or self._sets_aside or settings.control.store == "snowflake":
            return self._account.login()
        try:
            return within(LOGIN_S, self._account.login)
        except (ServiceUnavailable, NotPermitted, TimeoutError) as error:
            return Answer(f"{error}, and a start needs no SQL with SNOWFLAKE_CHECK_COLUMNS=false", "skipped")

    def _storage(self) -> Answer:
        return self._account.storage()

    def _table(self) -> Answer:
        """Whether rows fit; a failure is what a start would end with."""
        try:
            self._fit = self._account.look()
        except NotPermitted as error:
            return self._unseen(error)
        self._fit.refuse_table()
        found = self._fit.misfits
        if found:
            fixes = " ".join(dict.fromkeys(each.fix for each in found))
            return Answer("; ".join(each.problem for each in found), "warn", fixes)
        return Answer(f"{self._fit.columns} columns, and rows fit")

    def _unseen(self, error: NotPermitted) -> Answer:
        if self._settings.snowflake.check_columns:
            raise or_without(error) from error
        return Answer(f"{error.what}: SNOWFLAKE_CHECK_COLUMNS=false starts all the same", "warn", error.fix)

    def _definition(self) -> Answer:
        """Whether the named pipe makes one row of each event."""
        if self._fit is None:
            return Answer("SNOWFLAKE_CHECK_COLUMNS=false starts without a look at it", "warn")
        try:
            self._fit.refuse_pipe()
        except NotPermitted as error:
            return self._unseen(error)
        return Answer(self._fit.trust)

    def _insert(self) -> Answer:
        return self._account.insert()

    def _error_logging(self) -> Answer:
        return self._account.error_logging()

    def _quarantine(self) -> Answer:
        self._store.check_audit()
        return quarantine(self._settings)

    def _pipe(self) -> Answer:
        """Streaming answers, and says how far each channel is."""
        settings = self._settings.snowflake
        group = client.consumer_group(self._settings.eventhub)
        checkpoints = map(self._checkpoint, self._partition_ids)
        self._channels = statuses_of_partitions(settings.channel_prefix, group, checkpoints, STREAMING_S)
        return Answer(settings.pipe_name)

    def _partition(self, partition_id: str) -> Answer:
        with EventHubClient(self._settings.eventhub) as hub:
            facts = hub.partition(partition_id, self._facts)
        on_gap, on_reject = self._settings.eventhub.on_gap, self._settings.snowflake.on_reject
        channel = self._channels[partition_id]
        found = reconciled(self._checkpoint(partition_id), channel, facts, on_gap, on_reject)
        is_added = bool(self._checkpoints) and partition_id not in self._checkpoints and channel.token is None
        return Answer("begins with its oldest event: it was added after the group began") if is_added else found

    def _checkpoint(self, partition_id: str) -> Checkpoint:
        return self._checkpoints.get(partition_id) or Checkpoint(partition_id, None, None, 0)
