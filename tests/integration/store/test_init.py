"""`evsup init`, without and with its flags."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scripts.localcloud.postgres import Postgres
from shared.config.settings import ControlSettings
from shared.control import schema
from shared.control.open import open_database
from supervisor.commands.init import init

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command with settings that are complete."""
    key = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.p8").touch(mode=0o600)
    (tmp_path / "key.p8").write_bytes(key)
    path = tmp_path / "settings.env"
    path.write_text(
        "EVENTHUB_NAMESPACE=ns.servicebus.windows.net\nEVENTHUB_NAME=hub\n"
        "SNOWFLAKE_ACCOUNT=myorg-acc\nSNOWFLAKE_USER=EVSUP\n"
        f"SNOWFLAKE_PRIVATE_KEY_FILE={tmp_path / 'key.p8'}\n"
        "SNOWFLAKE_DATABASE=EVENTS\nSNOWFLAKE_SCHEMA=PUBLIC\nSNOWFLAKE_TABLE=FLIGHTS\n"
    )

    def invoke(*arguments: str, **environment: str) -> Result:
        settings = {"CONTROL_SQLITE_PATH": str(tmp_path / "control.db")} | environment
        return CliRunner().invoke(init, [*arguments, "--env-file", str(path)], env=settings)

    return invoke


def test_init_creates_the_tables_and_may_be_repeated(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        result = run()
        assert (result.exit_code, result.stdout) == (0, ""), result.exception
    with closing(open_database(ControlSettings(sqlite_path=str(tmp_path / "control.db")))) as database:
        schema.check(database)


def test_init_print_changes_nothing_and_prints_what_creates_the_tables(run: Run, postgres: Postgres) -> None:
    result = run("--print", CONTROL_STORE="postgres", CONTROL_POSTGRES_DSN=postgres.dsn)
    assert result.exit_code == 0, result.exception
    with psycopg.connect(postgres.dsn) as session:
        session.execute("CREATE SCHEMA printed")
        session.execute("SET LOCAL search_path = printed")
        session.execute(result.stdout.encode())
        tables = session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'printed' ORDER BY 1").fetchall()
        session.rollback()
    assert [table for (table,) in tables] == [
        "evsup_audit",
        "evsup_checkpoint",
        "evsup_ownership",
        "evsup_schema",
        "evsup_supervisor",
    ]


@pytest.mark.parametrize(
    ("pipe", "end"),
    [
        ("", "-- Its default pipe FLIGHTS-STREAMING comes with it."),
        ("MY_PIPE", "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;"),
    ],
)
def test_init_target_prints_the_snowflake_table_alone_and_connects_to_nothing(run: Run, pipe: str, end: str) -> None:
    result = run("--target", "--print", SNOWFLAKE_PIPE=pipe)  # an account that does not exist
    assert result.exit_code == 0
    assert result.stdout.startswith('CREATE TABLE IF NOT EXISTS "EVENTS"."PUBLIC"."FLIGHTS"')
    assert result.stdout.endswith(f"{end}\n")
    assert "evsup_" not in result.stdout
