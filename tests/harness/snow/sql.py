"""A running local Snowflake, and the official connector pointed at it."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error

from scripts.localcloud.cloud import key_pair
from scripts.localcloud.service import Service
from scripts.localcloud.signing.certificate import write_private
from scripts.localcloud.snow.admin import SnowAdmin

ACCOUNT, USER, ROLE, OTHER_ROLE = "ACCT", "EVSUP", "LOADER", "READER"
WAREHOUSE = "WH"
COLUMNS = (("PAYLOAD", "VARIANT"), ("N", "NUMBER(38,0)", False), ("SEEN", "TIMESTAMP_TZ"), ("RAW", "BINARY"))
CLAIM = "(P VARCHAR NOT NULL, OWNER VARCHAR, EPOCH NUMBER(38,0), SEEN TIMESTAMP_NTZ(6), PRIMARY KEY (P))"
POLL_S = 0.02  # between two looks at a condition that has a deadline
LIMIT_S = 60  # of a login or a call, which take far less

_names = itertools.count()


@dataclass(frozen=True)
class SnowSql:
    """One service with a user; each test has a schema of its own, with a table EVENTS that rows are streamed into."""

    service: Service
    admin: SnowAdmin
    key_file: Path
    schema: str = "PUBLIC"

    @classmethod
    def start(cls, directory: Path) -> "SnowSql":
        private, public = key_pair()
        write_private(directory / "key.p8", private)
        service = Service.start("scripts.localcloud.snow", ["--state-dir", str(directory), "--commit-delay", "0"])
        admin = SnowAdmin(service.ready["admin_port"])
        admin.register_user(ACCOUNT, USER, public, [ROLE, OTHER_ROLE])
        return cls(service, admin, directory / "key.p8")

    def elsewhere(self) -> "SnowSql":
        """The same service in a schema that no other test has seen."""
        schema = f"S{next(_names)}"
        self.admin.create_table(("DB", schema, "EVENTS"), COLUMNS)
        return replace(self, schema=schema)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "account": ACCOUNT,
            "user": USER,
            "role": ROLE,
            "host": "127.0.0.1",
            "port": self.service.ready["port"],
            "authenticator": "SNOWFLAKE_JWT",
            "private_key_file": str(self.key_file),
            "database": "DB",
            "schema": self.schema,
            "warehouse": WAREHOUSE,
            "login_timeout": LIMIT_S,
            "network_timeout": LIMIT_S,
            "platform_detection_timeout_seconds": 0,  # otherwise it asks the metadata services of three clouds
        }

    def connect(self, **settings: Any) -> SnowflakeConnection:
        return snowflake.connector.connect(**{**self.settings, **settings})


def ask(connection: SnowflakeConnection, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        return [tuple(row) for row in cursor.execute(sql, *parameters).fetchall()]


def records(connection: SnowflakeConnection, sql: str) -> list[dict[str, Any]]:
    """The rows with the names of their columns."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def count(connection: SnowflakeConnection, sql: str, *parameters: Any) -> int | None:
    """The rows that a statement changed."""
    with connection.cursor() as cursor:
        changed: int | None = cursor.execute(sql, *parameters).rowcount
    return changed


def refusal(connection: SnowflakeConnection, sql: str, *parameters: Any) -> tuple[int | None, str | None]:
    """The number and the SQLSTATE that a statement is refused with."""
    with pytest.raises(snowflake.connector.errors.Error) as caught:
        ask(connection, sql, *parameters)
    return number(caught.value)


def number(error: Error) -> tuple[int | None, str | None]:
    return error.errno, error.sqlstate


def until(holds: Callable[[], object]) -> None:
    """Wait for a condition, within a deadline."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(POLL_S)
