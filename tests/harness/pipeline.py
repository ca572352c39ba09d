"""The real `evsup` as its users run it, between local services: started, watched, ended, and its table counted."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.harness import table
from scripts.harness.evsup import EVSUP, Evsup
from scripts.harness.failure import NotAsPromised
from scripts.harness.host import Host
from scripts.harness.table import PartitionCount
from scripts.harness.waiting import PATIENCE_S, eventually
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import Deadline
from shared.config.environment import load_worker
from shared.config.settings import Settings
from shared.control.open import open_store
from shared.control.store import ControlStore
from shared.eventhubs.client import consumer_group
from shared.model import Checkpoint
from shared.snowflake.channel_name import channel_name
from shared.snowflake.session import SqlSession
from tests.harness.commands.client import commands

# Short leases and rounds, so that a takeover is a matter of seconds.
BRISK = {
    "EVENTHUB_LOAD_BALANCING_INTERVAL": "1",
    "EVENTHUB_OWNERSHIP_EXPIRATION": "8",
}
# On a control store in Snowflake: each round is many statements, and the local one translates them one by one.
SELDOM: dict[str, Any] = {"EVENTHUB_LOAD_BALANCING_INTERVAL": "2"}

# To check the target table takes a process with an SQL session, almost half of what a tree costs. Tests that are not
# about the table go without the check, but for those of the acceptance tier about a start, or about what it shows.
UNCHECKED: dict[str, Any] = {"SNOWFLAKE_CHECK_COLUMNS": "false"}

SABOTEUR = str(Path(__file__).parent / "saboteur")
"""On PYTHONPATH, it turns a worker against its tree."""


@dataclass(frozen=True)
class Fix:
    """The one command that a refusal names."""

    settings: Mapping[str, str]
    arguments: Sequence[str]


def fix_of(reason: str) -> Fix:
    """The first command between the backticks of a reason, word for word; fails unless there is one."""
    quoted = [shlex.split(text) for text in re.findall(r"`([^`]*)`", reason)]
    words = next(words for words in quoted if "evsup" in words)
    at = words.index("evsup")
    return Fix(dict(word.split("=", 1) for word in words[:at]), words[at + 1 :])


class Pipeline(Host):
    """Local services, and a host with evsup's settings for them."""

    def __init__(self, cloud: LocalCloud, **environment: str) -> None:
        super().__init__({**cloud.environment, **BRISK, **environment}, cloud.directory)
        self.cloud, self.hub, self.snow = cloud, cloud.hub, cloud.snow
        with self.store() as store:
            store.initialise()

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Any command that ends by itself, as a copy of a process that has imported evsup. A start, and a command that
        is to import something else, are processes from their first line on.
        """
        changed = {**self.environment, **environment}
        if "start" in arguments or changed.get("PYTHONPATH"):
            return super().run(*arguments, **environment)
        return commands().run(arguments, changed, self.directory, PATIENCE_S)

    def check(self, *arguments: str, code: int | None = 0, **environment: str) -> str:
        """What `check` says once each service has answered it: on a busy machine one may take longer than it is given.

        Raises NotAsPromised unless it ended with `code`, where one is given.
        """
        deadline = Deadline.after(PATIENCE_S)
        while "no answer for" in (done := self.run("check", *arguments, **environment)).stdout:
            if deadline.passed():
                raise NotAsPromised("a service never answered `evsup check` in time", done.stdout)
        if code not in (None, done.returncode):
            raise NotAsPromised(f"evsup check ended with {done.returncode}, not {code}", done.stdout + done.stderr)
        return done.stdout + done.stderr

    def beside(self, *arguments: str, command: Sequence[str] = (EVSUP,), **environment: str) -> Evsup:
        """Another supervisor over the same control store, as on another host."""
        environment["EVSUP_STATE_DIR"] = str(self.directory / f"state-{len(self.started)}")
        return self.start(*arguments, command=command, stderr=None, **environment)

    def publish(self, count: int, *partitions: str) -> None:
        """Publish so many more JSON events into each of these partitions, or into all."""
        for partition, facts in self.hub.facts().partitions.items():
            if not partitions or partition in partitions:
                self.hub.seed(partition, count, first_n=facts.last_sequence_number + 1)

    def in_hub(self) -> dict[str, PartitionCount]:
        """Every event that the hub retains, once."""
        facts = [one for one in self.hub.facts().partitions.values() if one.count]
        return {
            one.id: PartitionCount(one.count, one.count, one.begin_sequence_number, one.last_sequence_number)
            for one in facts
        }

    def in_table(self) -> dict[str, PartitionCount]:
        """What the table has, by partition."""
        return table.count(self.snow, table=table.relation(self.cloud.settings.columns))

    def rows(self) -> int:
        """Rows in the table."""
        return table.total(self.snow)

    def await_all(self) -> None:
        """Wait until the table has what was published; fails at once with the difference when it has more."""
        published = sum(held.rows for held in self.in_hub().values())

        def arrived() -> bool:
            if self.rows() >= published:
                return True
            assert any(evsup.is_running for evsup in self.started), self.started[-1].last_line
            return False

        eventually(arrived, f"{published} events are in the table")
        self.prove()

    def prove(self) -> None:
        """Every event is in the table, once."""
        assert self.in_table() == self.in_hub()

    def change(self, statement: str, *values: object) -> int:
        """Change something by SQL without evsup; how many rows that were."""
        with closing(SqlSession(self.settings.snowflake)) as session:
            return session.change(statement, *values)

    def channel(self, partition: str) -> str:
        """The name of a partition's channel."""
        settings = self.settings
        return channel_name(settings.snowflake.channel_prefix, consumer_group(settings.eventhub), partition)

    @property
    def stage(self) -> str:
        """Host and port of the storage that files are uploaded to."""
        return f"127.0.0.1:{self.cloud.snow_service.ready['stage_port']}"

    @contextmanager
    def living_tree(self) -> Iterator[Evsup]:
        """A tree that has to survive the block: then it drains with 0, and the table has each event once."""
        evsup = self.start()
        evsup.await_running(1)
        yield evsup
        assert evsup.stop() == 0
        self.prove()

    @contextmanager
    def doomed_tree(self, partition: str) -> Iterator[Evsup]:
        """A tree in mid-stream that has to end in the block. The next one loads the rest, and is the next block's."""
        tree = self.started[-1] if self.started else self.start()
        self.publish(300)
        self.await_all()
        eventually(
            lambda: str(tree.workers()[partition].checkpointed) == self.token(partition), "the checkpoint follows"
        )
        yield tree
        self.snow.clear_faults()
        assert not tree.is_running
        self.start()
        self.await_all()

    def token(self, partition: str) -> str | None:
        """Its committed token."""
        return self.snow.channels()[self.channel(partition)].token

    def checkpoint(self, partition: str) -> Checkpoint | None:
        """The stored row."""
        with self.store() as store:
            return store.load_checkpoint(partition)

    def position(self, partition: str) -> int | None:
        """The sequence number in it."""
        row = self.checkpoint(partition)
        return row.sequence_number if row else None

    @property
    def settings(self) -> Settings:
        """As a worker would read them."""
        return load_worker(self.environment)

    @contextmanager
    def store(self) -> Iterator[ControlStore]:
        """The control store, to read or to change it without evsup."""
        settings = self.settings
        expiration_s = settings.eventhub.ownership_expiration
        group = consumer_group(settings.eventhub)
        with closing(open_store(settings.control, group, expiration_s, settings.snowflake)) as store:
            yield store


@contextmanager
def pipeline_of(partitions: int = 1, cloud: CloudSettings | None = None, **environment: str) -> Iterator[Pipeline]:
    """Fresh services with so many partitions and fast commits. Nothing of them is left after the block."""
    settings = cloud or CloudSettings(partitions=partitions, commit_delay_s=0.3)
    with LocalCloud(settings) as running, closing(Pipeline(running, **environment)) as pipeline:
        yield pipeline
