"""A local Snowpipe Streaming service for the real streaming SDK, which runs in a process of its own."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeVar

from scripts.localcloud.cloud import key_pair
from scripts.localcloud.service import Service
from scripts.localcloud.signing.certificate import write_private
from scripts.localcloud.snow.admin import SnowAdmin
from scripts.localcloud.snow.driver import SdkDriver, SdkError

ACCOUNT, USER, ROLE = "ACCT", "EVSUP", "LOADER"
DEADLINE_S = 60.0
POLL_S = 0.02  # between two looks at a condition that has a deadline
COMMIT_DELAY_S = 0.2
NEVER_S = 3600.0
COLUMNS = (("PAYLOAD", "VARIANT"), ("N", "NUMBER(38,0)", False), ("AT", "TIMESTAMP_TZ"), ("RAW", "BINARY"))

T = TypeVar("T")
_names = itertools.count()


@dataclass
class Snow:
    """One running service with a user, and a table."""

    service: Service
    admin: SnowAdmin
    properties: dict[str, str]
    name: tuple[str, str, str] = ("DB", "PUBLIC", "")

    @property
    def pipe(self) -> tuple[str, str, str]:
        """The table's default pipe."""
        return self.name[0], self.name[1], f"{self.name[2]}-STREAMING"

    @property
    def channel(self) -> str:
        """A channel of that pipe."""
        return f"channel of {self.name[2]}"

    def driver(self, properties: Mapping[str, str] | None = None, log: IO[bytes] | None = None) -> SdkDriver:
        """The SDK in a process of its own, with these properties on top."""
        return SdkDriver(self.service.ready["ca_file"], {**self.properties, **(properties or {})}, log)

    def rows(self, select: str = "count(*)") -> list[tuple[Any, ...]]:
        """What the table has."""
        return self.admin.query(f"SELECT {select} FROM {self.name[2]}", *self.name[:2])  # noqa: S608

    @contextmanager
    def with_table(self) -> Iterator["Snow"]:
        """The same service with a table that no other test has seen; faults are taken back at the end."""
        name = ("DB", "PUBLIC", f"EVENTS_{next(_names)}")
        self.admin.create_table(name, COLUMNS)
        yield replace(self, name=name)
        self.admin.clear_faults()
        self.admin.set_commit_delay(COMMIT_DELAY_S)
        self.admin.set_token_lifetime(NEVER_S)


@contextmanager
def serving(directory: Path) -> Iterator[Snow]:
    """Start the service with a user, and stop it."""
    private, public = key_pair()
    write_private(directory / "key.p8", private)
    arguments = ["--state-dir", str(directory), "--commit-delay", str(COMMIT_DELAY_S)]
    service = Service.start("scripts.localcloud.snow", arguments)
    try:
        admin = SnowAdmin(service.ready["admin_port"])
        admin.register_user(ACCOUNT, USER, public, [ROLE])
        properties = {
            "account": ACCOUNT,
            "user": USER,
            "role": ROLE,
            "url": f"https://127.0.0.1:{service.ready['port']}",
            "private_key_file": str(directory / "key.p8"),
            "channel_status_cache_refresh_interval_seconds": "0",  # each status is asked for anew
        }
        yield Snow(service, admin, properties)
    finally:
        assert service.stop() == 0


def events(first: int, last: int, **more: object) -> list[dict[str, Any]]:
    """Rows of that table."""
    return [{"PAYLOAD": {"n": n, **more}, "N": n} for n in range(first, last + 1)]


def append(sdk: SdkDriver, snow: Snow, first: int, last: int, **more: object) -> None:
    """Append rows, and have them sent at once."""
    sdk.append(snow.channel, events(first, last, **more), (str(first), str(last)))
    sdk.push(snow.channel)


def until(probe: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """The first value that holds; fails with the last one."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds(seen := probe()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(POLL_S)
    return seen


def committed(sdk: SdkDriver, snow: Snow, token: str) -> dict[str, Any]:
    """Wait for a token; give the channel's status."""
    return until(lambda: sdk.status(snow.channel), lambda status: bool(status["token"] == token))


def failure(sdk: SdkDriver, snow: Snow) -> SdkError:
    """Wait for what the SDK raises once the server has refused an append."""

    def probe() -> SdkError | None:
        try:
            sdk.status(snow.channel)
        except SdkError as exc:
            return exc
        return None

    found = until(probe, lambda error: error is not None)
    assert found is not None
    return found
