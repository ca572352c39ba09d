"""Local services, and everything that a measurement needs from them fresh: events, a table, positions."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from scripts.bench.lab.measure import Run
from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE, TARGET, LocalCloud
from shared.snowflake.tables import create_table_sql

RIVAL_LIMIT_S = 120.0


@dataclass(frozen=True)
class Events:
    """What is in each partition before a measurement."""

    count: int
    body_bytes: int = 250
    partition_key: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


class Lab:
    """One cloud for many measurements, one after the other."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self._turns = 0

    def fill(self, events: Events, partitions: int = 1) -> None:
        """Have a new hub with these events in each of its partitions."""
        hub = self.cloud.hub
        hub.recreate(partitions)
        for number in range(partitions):
            hub.seed(
                str(number),
                events.count,
                body_bytes=events.body_bytes,
                partition_key=events.partition_key,
                properties=events.properties,
            )

    def turn(self) -> "Turn":
        """An empty table, and an evsup that has never run."""
        self._turns += 1
        self.cloud.snow.drop_table((DATABASE, SCHEMA, TABLE))
        self.cloud.snow.execute_create_table(create_table_sql(TARGET))
        directory = self.cloud.directory / f"turn-{self._turns}"
        directory.mkdir()
        return Turn(self.cloud, directory, f"turn{self._turns}")


class Turn:
    """One run of one program."""

    def __init__(self, cloud: LocalCloud, directory: Path, prefix: str) -> None:
        self.cloud, self.directory, self._prefix = cloud, directory, prefix
        own = {"CONTROL_SQLITE_PATH": str(directory / "control.db"), "SNOWFLAKE_CHANNEL_PREFIX": prefix}
        self.environment = cloud.environment | own

    def rival(self, name: str, *arguments: object) -> Run:
        """Run another program, which prints what it has measured of itself."""
        done = subprocess.run(
            [sys.executable, "-m", f"scripts.bench.rivals.{name}", *map(str, arguments)],
            env=os.environ | self.environment,
            check=True,
            stdout=subprocess.PIPE,
            timeout=RIVAL_LIMIT_S,
        )
        return msgspec.convert(json.loads(done.stdout), Run)

    def durable(self) -> dict[str, int]:
        """The last sequence number that Snowflake has committed, by the name of the channel."""
        channels = self.cloud.snow.channels().values()
        own = (one for one in channels if one.name.startswith(f"{self._prefix.upper()}_"))
        return {one.name: int(one.token) for one in own if one.token is not None}
