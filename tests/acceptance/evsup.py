"""The real `evsup` as its users run it, against local services: started, watched, ended and held to account."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from scripts.chaos.marker import MARKER, marked, new_marker
from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE, CloudSettings, LocalCloud
from shared.config.environment import load_worker
from shared.config.settings import Settings
from shared.control.open import store_of
from shared.control.store import ControlStore
from shared.eventhubs.client import consumer_group
from shared.model import Checkpoint
from shared.snowflake.channel_name import channel_name
from supervisor.status.model import PartitionStatus, TreeStatus
from supervisor.status.status_socket import read_status

EVSUP = str(Path(sys.executable).parent / "evsup")
EVENTS = f"{DATABASE}.{SCHEMA}.{TABLE}"
POLL_S = 0.05
PATIENCE_S = 60.0  # far more than anything takes: the machine may be busy
GRACE_S = 10.0  # no orphan lives longer (contract, promise 6)

# Short leases and rounds, so that a takeover is a matter of seconds.
BRISK = {
    "EVENTHUB_LOAD_BALANCING_INTERVAL": "1",
    "EVENTHUB_OWNERSHIP_EXPIRATION": "8",
}

Truth = TypeVar("Truth")


def eventually(
    condition: Callable[[], Truth], what: str, timeout_s: float = PATIENCE_S, every_s: float = POLL_S
) -> Truth:
    """The first true value of `condition`, asked again and again until the deadline; then fails with `what`."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(every_s)
    return value


class Held(NamedTuple):
    """What the table, or the hub, has of one partition."""

    rows: int
    distinct: int
    first: int
    last: int

    @property
    def duplicates(self) -> int:
        """Rows too many."""
        return self.rows - self.distinct

    @property
    def gaps(self) -> int:
        """Sequence numbers missing between the first and the last."""
        return self.last - self.first + 1 - self.distinct


class Named(NamedTuple):
    """The one command that a refusal names."""

    settings: Mapping[str, str]
    arguments: Sequence[str]


def named(reason: str) -> Named:
    """What is between the backticks of a reason, word for word; fails unless that is one command."""
    [command] = re.findall(r"`([^`]*)`", reason)
    words = shlex.split(command)
    at = words.index("evsup")
    return Named(dict(word.split("=", 1) for word in words[:at]), words[at + 1 :])


class Evsup:
    """One running `evsup start`. Its standard error is a file; standard output has to stay empty."""

    def __init__(
        self,
        environment: Mapping[str, str],
        directory: Path,
        *arguments: str,
        stderr: int | None = None,
        command: Sequence[str] = (EVSUP,),
    ) -> None:
        directory.mkdir()
        self.state_dir = Path(environment["EVSUP_STATE_DIR"])
        self.marker = environment[MARKER]
        self._stderr, self._stdout = directory / "stderr", directory / "stdout"
        with self._stderr.open("wb") as errors, self._stdout.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "start", *arguments],
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors if stderr is None else stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The supervisor."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """What it wrote so far."""
        return self._stderr.read_text()

    @property
    def last_line(self) -> str:
        """The reason, when it has ended."""
        return self.stderr.rstrip("\n").rpartition("\n")[2]

    def status(self) -> TreeStatus | None:
        """What `evsup status --json` shows; None before the socket is there."""
        return read_status(self.state_dir)

    def workers(self) -> dict[str, PartitionStatus]:
        """Its workers by partition."""
        tree = self.status()
        return {row.partition: row for row in tree.partitions} if tree else {}

    @property
    def is_running(self) -> bool:
        """Whether the supervisor is there."""
        return self._process.poll() is None

    def await_running(self, partitions: int) -> dict[str, PartitionStatus]:
        """Wait until so many workers receive."""

        def running() -> dict[str, PartitionStatus]:
            assert self.is_running, self.stderr
            workers = self.workers()
            ready = sum(row.state == "running" for row in workers.values())
            return workers if ready == partitions else {}

        return eventually(running, f"{partitions} workers run")

    def send(self, number: signal.Signals) -> None:
        """To the supervisor alone."""
        self._process.send_signal(number)

    def send_to_group(self, number: signal.Signals) -> None:
        """To all its processes, as a terminal and systemd do."""
        os.killpg(self.pid, number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end; returns the exit code after a look at what nobody may leave behind."""
        code = self._process.wait(timeout_s)
        assert not self._stdout.read_bytes(), "start writes nothing on standard output"
        eventually(lambda: not marked(self.marker, self.pid), "its workers are gone", GRACE_S)
        return code

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """SIGTERM, and its exit code."""
        self.send(signal.SIGTERM)
        return self.wait(timeout_s)

    def destroy(self) -> None:
        """End it and its workers, whatever became of them."""
        for pid in [*marked(self.marker, self.pid), *([] if self._process.poll() is not None else [self.pid])]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


class Pipeline:
    """Local services, and evsup's settings for them; every `start` is ended with it."""

    def __init__(self, cloud: LocalCloud, **environment: str) -> None:
        self.cloud, self.hub, self.snow = cloud, cloud.hub, cloud.snow
        self.environment = {**_plain_environment(), **cloud.environment, **BRISK, **environment}
        self.started: list[Evsup] = []
        with self.store() as store:
            store.initialise()

    def start(
        self, *arguments: str, stderr: int | None = None, command: Sequence[str] = (EVSUP,), **environment: str
    ) -> Evsup:
        """`evsup start`; `environment` is for this run alone."""
        directory = self.cloud.directory / f"run-{len(self.started)}"
        environment = {**self.environment, **new_marker(), **environment}
        evsup = Evsup(environment, directory, *arguments, stderr=stderr, command=command)
        self.started.append(evsup)
        return evsup

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Any command that ends by itself, with all it wrote."""
        return subprocess.run(
            [EVSUP, *arguments],
            env={**self.environment, **environment},
            cwd=self.cloud.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def told(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """What a command printed; fails with its stderr unless it ended with `code`."""
        done = self.run(*arguments, **environment)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def publish(self, count: int, *partitions: str) -> None:
        """That many JSON events more into each partition named, or into all."""
        for partition, facts in self.hub.facts().partitions.items():
            if not partitions or partition in partitions:
                self.hub.seed(partition, count, first_n=facts.last_sequence_number + 1)

    def in_hub(self) -> dict[str, Held]:
        """Every event that the hub retains, once."""
        facts = [one for one in self.hub.facts().partitions.values() if one.count]
        return {
            one.id: Held(one.count, one.count, one.begin_sequence_number, one.last_sequence_number) for one in facts
        }

    def in_table(self) -> dict[str, Held]:
        """What the table has, by partition."""
        columns = "count(*), count(DISTINCT SEQUENCE_NUMBER), min(SEQUENCE_NUMBER), max(SEQUENCE_NUMBER)"
        rows = self.snow.query(f"SELECT PARTITION_ID, {columns} FROM {EVENTS} GROUP BY ALL")  # noqa: S608
        return {partition: Held(*numbers) for partition, *numbers in rows}

    def rows(self) -> int:
        """Rows in the table."""
        return sum(held.rows for held in self.in_table().values())

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

    def channel(self, partition: str) -> str:
        """The name of a partition's channel."""
        settings = self.settings
        return channel_name(settings.snowflake.channel_prefix, consumer_group(settings.eventhub), partition)

    @property
    def stage(self) -> str:
        """Host and port of the storage that files are uploaded to."""
        return f"127.0.0.1:{self.cloud.snow_service.ready['stage_port']}"

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
        """The control store, for a look or a change behind evsup's back."""
        with closing(store_of(self.settings)) as store:
            yield store

    def close(self) -> None:
        """End what is still running."""
        for evsup in self.started:
            evsup.destroy()


@contextmanager
def pipeline_of(partitions: int = 1, cloud: CloudSettings | None = None, **environment: str) -> Iterator[Pipeline]:
    """Fresh services with so many partitions and fast commits, and nothing left of them after."""
    settings = cloud or CloudSettings(partitions=partitions, commit_delay_s=0.3)
    with LocalCloud(settings) as running, closing(Pipeline(running, **environment)) as pipeline:
        yield pipeline


def _plain_environment() -> dict[str, str]:
    """The environment of this process, without settings of evsup that a developer may have exported."""
    prefixes = ("EVENTHUB_", "SNOWFLAKE_", "CONTROL_", "EVSUP_")
    return {name: text for name, text in os.environ.items() if not name.startswith(prefixes)}
