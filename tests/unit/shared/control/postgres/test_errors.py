import re
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from shared.config.formats.dsn import parse
from shared.control.postgres.database import PostgresDatabase
from shared.control.postgres.errors import translate, translate_refusal
from shared.errors import (
    Bug,
    ConfigurationError,
    DataRefused,
    EvsupError,
    NoControlTables,
    NotPermitted,
    StoreUnavailable,
)
from shared.log.secret import Secret

DSN = parse(Secret("postgresql://u:hush@h/db"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('FATAL:  password authentication failed for user "u"', NotPermitted),
        ("fe_sendauth: no password supplied", NotPermitted),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "db", no encryption', NotPermitted),
        ('FATAL:  role "u" does not exist', NotPermitted),
        ('FATAL:  permission denied for database "db"', NotPermitted),
        ('FATAL:  database "db" does not exist', ConfigurationError),
        ("FATAL:  no such database: db", ConfigurationError),
        ("FATAL:  no such user: u", NotPermitted),
        ('invalid sslmode value: "maybe"', ConfigurationError),
        ('invalid port number: "99999"', ConfigurationError),
        ('invalid integer value "abc" for connection option "keepalives_idle"', ConfigurationError),
        ("bad value for connect_timeout: 'abc'", ConfigurationError),
        ('definition of service "nope" not found', ConfigurationError),
        ('FATAL:  permission denied to set parameter "deadlock_timeout"', ConfigurationError),
        ('FATAL:  unrecognized configuration parameter "no_such"', ConfigurationError),
        ('FATAL:  invalid value for parameter "TimeZone": "Mars/Olympus"', ConfigurationError),
        ('root certificate file "/x" does not exist', ConfigurationError),
        ("SSL error: certificate verify failed", ConfigurationError),
        ("server does not support SSL, but SSL was required", ConfigurationError),
        ('server certificate for "a" does not match host name "b"', ConfigurationError),
        ("FATAL:  SSL required", ConfigurationError),
        ("SSL error: tlsv1 alert unknown ca", ConfigurationError),
        ("SSL error: sslv3 alert handshake failure", ConfigurationError),
        ("channel binding required, but SSL not in use", ConfigurationError),
        ('authentication method requirement "scram-sha-256" failed: server requested password', ConfigurationError),
        ("FATAL:  unsupported startup parameter in options: search_path", ConfigurationError),
        ("FATAL:  the database system is starting up", StoreUnavailable),
        ("connection is made, but session is read-only", StoreUnavailable),
        ("FATAL:  sorry, too many clients already", StoreUnavailable),
        ("Connection refused", StoreUnavailable),
        ("Is this hush?", StoreUnavailable),
    ],
)
def test_a_refused_connection_is_told_apart_by_its_text(text: str, kind: type[EvsupError]) -> None:
    error = translate_refusal(psycopg.OperationalError(text), DSN)
    assert type(error) is kind
    assert "hush" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "FATAL:  sorry, too many clients already",
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "FATAL:  remaining connection slots are reserved for non-replication superuser connections",
        'FATAL:  too many connections for role "u"',
        'FATAL:  too many connections for database "db"',
        "FATAL:  no more connections allowed (max_client_conn)",
    ],
)
def test_a_server_without_a_free_session_says_how_many_are_needed(text: str) -> None:
    error = translate_refusal(psycopg.OperationalError(text), DSN)
    assert type(error) is StoreUnavailable
    assert "a session for each partition and one for each supervisor" in error.fix


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 64, "x" * 300, "é" * 64, "db.x..example.com"])
def test_a_host_that_can_be_no_name_is_a_fault_of_the_setting(host: str) -> None:
    database = PostgresDatabase(Secret(f"postgresql://u:hush@{host}/db"))
    with pytest.raises(ConfigurationError, match="CONTROL_POSTGRES_DSN") as raised, database.transaction():
        pass
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (errors.InvalidPassword, NotPermitted),
        (errors.InsufficientPrivilege, NotPermitted),
        (errors.InvalidCatalogName, ConfigurationError),
        (errors.UndefinedTable, NoControlTables),
        (errors.UndefinedColumn, NoControlTables),
        (errors.InvalidSchemaName, NoControlTables),
        (errors.InvalidColumnReference, ConfigurationError),
        (errors.UndefinedFunction, ConfigurationError),
        (errors.UntranslatableCharacter, ConfigurationError),
        (errors.CharacterNotInRepertoire, ConfigurationError),
        (errors.ReadOnlySqlTransaction, StoreUnavailable),
        (errors.QueryCanceled, StoreUnavailable),
        (errors.LockNotAvailable, StoreUnavailable),
        (errors.DeadlockDetected, StoreUnavailable),
        (errors.AdminShutdown, StoreUnavailable),
        (errors.IdleInTransactionSessionTimeout, StoreUnavailable),
        (errors.DiskFull, StoreUnavailable),
        (psycopg.OperationalError, StoreUnavailable),
        (errors.NumericValueOutOfRange, DataRefused),
        (errors.DivisionByZero, Bug),
        (errors.SyntaxError, Bug),
        (errors.NotNullViolation, Bug),
    ],
)
def test_a_failed_statement_is_told_apart_by_its_sqlstate(raised: type[psycopg.Error], kind: type[EvsupError]) -> None:
    assert type(translate(raised("text"), DSN)) is kind


@pytest.mark.parametrize(
    ("raised", "fix"),
    [
        (errors.InvalidSchemaName, "ALTER ROLE … SET search_path"),
        (errors.UndefinedTable, "Run `evsup init`"),
        (errors.InvalidColumnReference, "`evsup init --print`"),
        (errors.UntranslatableCharacter, "ENCODING 'UTF8'"),
        (errors.ReadOnlySqlTransaction, "its disk is nearly full"),
        (errors.LockNotAvailable, "pg_blocking_pids()"),
        (errors.QueryCanceled, "pg_blocking_pids()"),
        (errors.TransactionTimeout, "RESET transaction_timeout"),
    ],
)
def test_a_failed_statement_says_who_can_mend_it(raised: type[psycopg.Error], fix: str) -> None:
    assert fix in translate(raised("text"), DSN).fix


def test_what_a_pool_says_of_its_server_is_told_apart_as_if_it_were_refused_here() -> None:
    """https://www.pgbouncer.org/config.html#server_login_retry."""

    def raised(why: str) -> type[EvsupError]:
        failing = f"server login has been failing, cached error: {why} (server_login_retry)"
        return type(translate(errors.ProtocolViolation(failing), DSN))

    assert raised('password authentication failed for user "u"') is NotPermitted
    assert raised('database "db" does not exist') is ConfigurationError
    assert raised("sorry, too many clients already") is StoreUnavailable
    assert raised("connect failed") is StoreUnavailable
    unsaid = "server login has been failing, try again later (server_login_retry)"  # before 1.19
    assert "its log says why" in translate(errors.ProtocolViolation(unsaid), DSN).fix


def test_a_table_that_is_denied_has_its_grant_and_anything_else_the_advice() -> None:
    denied = translate(errors.InsufficientPrivilege("permission denied for table evsup_supervisor"), DSN)
    assert (
        denied.fix == 'As the owner of the table, run GRANT SELECT, INSERT, UPDATE, DELETE ON evsup_supervisor TO "u";'
    )
    for other in ("permission denied for table theirs", "permission denied for schema public"):
        assert "rights on the database" in translate(errors.InsufficientPrivilege(other), DSN).fix


def test_the_grants_of_the_errors_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[5] / "docs" / "postgres.md").read_text()
    granted: dict[str, str] = {}
    for privileges, tables in re.findall(r"^GRANT ([A-Z, ]+) ON (evsup_.+) TO evsup;", page, re.MULTILINE):
        for table in tables.split(", "):
            granted[table] = ", ".join(filter(None, (granted.get(table), privileges)))
    for table, privileges in granted.items():
        fix = translate(errors.InsufficientPrivilege(f"permission denied for table {table}"), DSN).fix
        assert f"GRANT {privileges} ON {table} TO" in fix
    assert len(granted) == 5
