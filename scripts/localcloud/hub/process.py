"""A hub in a process of its own, for tests, the demo and benchmarks."""

import json
import os
import secrets
import subprocess
import sys
from base64 import b64encode
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from scripts.localcloud.hub.admin import HubAdmin
from scripts.localcloud.place import LOOPBACK

_STOP_TIMEOUT_S = 30.0


def new_key() -> str:
    """Return a fresh shared access key in the service's form."""
    return b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class HubSettings:
    """What to start. `idle_timeout_ms` None is the service's own."""

    hub: str = "flights"
    partitions: int = 4
    consumer_groups: tuple[str, ...] = ()
    key_name: str = "local"
    key: str = field(default_factory=new_key, repr=False)
    identity_key: str = field(default_factory=new_key, repr=False)
    port: int = 0
    idle_timeout_ms: int | None = None

    def arguments(self) -> list[str]:
        """Return the command line, without the key."""
        groups = [part for group in self.consumer_groups for part in ("--consumer-group", group)]
        idle = [] if self.idle_timeout_ms is None else ["--idle-timeout-ms", str(self.idle_timeout_ms)]
        head = ["--hub", self.hub, "--partitions", str(self.partitions), "--key-name", self.key_name]
        return [*head, "--port", str(self.port), *groups, *idle]


class HubProcess:
    """A context manager around the process; it listens when `start` returns and has exited when `stop` returns."""

    def __init__(self, settings: HubSettings | None = None) -> None:
        self.settings = settings or HubSettings()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._admin: HubAdmin | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The AMQP port."""
        return self._port

    @property
    def pid(self) -> int:
        """The process."""
        if self._process is None:
            raise RuntimeError("The hub is not running: call start() first.")
        return self._process.pid

    @property
    def admin(self) -> HubAdmin:
        """The client of the admin port."""
        if self._admin is None:
            raise RuntimeError("The hub is not running: call start() first.")
        return self._admin

    @property
    def connection_string(self) -> str:
        """What the SDK connects with."""
        return self.connection_string_with()

    def connection_string_with(
        self, *, key: str | None = None, key_name: str | None = None, hub: str | None = None
    ) -> str:
        """Return a connection string, with some parts other than they should be."""
        return (
            f"Endpoint=sb://{LOOPBACK}:{self._port};SharedAccessKeyName={key_name or self.settings.key_name};"
            f"SharedAccessKey={key or self.settings.key};EntityPath={hub or self.settings.hub};"
            "UseDevelopmentEmulator=true"
        )

    def start(self) -> None:
        """Start the process and wait until it listens. Raises RuntimeError when it does not."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.localcloud.hub", *self.settings.arguments()],
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "LOCALCLOUD_HUB_KEY": self.settings.key,
                "LOCALCLOUD_IDENTITY_KEY": self.settings.identity_key,
            },
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError("The local hub ended before it listened; its reason is on stderr.")
        ports = json.loads(line)
        self._port, self._admin = ports["port"], HubAdmin(ports["admin_port"])

    def stop(self) -> int | None:
        """End the process, by force after 10 s, and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return process.returncode
