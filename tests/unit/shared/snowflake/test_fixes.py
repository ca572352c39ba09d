"""A refusal names the statement that helps, with the names of the settings."""

from base64 import b64decode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.config.formats.private_key import pem
from shared.errors import ConfigurationError, DoesNotExist, EvsupError, NotPermitted, NotSignedIn, RowLocked
from shared.log.secret import Secret, mask
from shared.snowflake.fixes import Refusal, sign_in, target
from shared.snowflake.key_pair import fingerprint
from tests.unit.plain_settings import snowflake
from tests.unit.shared.config.configurations import key

TARGET = snowflake(role="LOADER", warehouse="WH")


def fix(statement: str, error: EvsupError) -> str:
    return Refusal(statement, TARGET, "EVENTS", "PUBLIC").with_fix(error).fix


def denied(kind: str, name: str) -> NotPermitted:
    why = f"SQL access control error: Insufficient privileges to operate on {kind} '{name}'"
    return NotPermitted("Snowflake failed", why, "advice")


GRANTS = [
    ('EXPLAIN INSERT INTO "EVENTS"."PUBLIC"."T" (A) SELECT 1', "table", "T", "INSERT ON TABLE {}"),
    ('SELECT COUNT(*) FROM "EVENTS"."PUBLIC"."T"', "table", "EVENTS.PUBLIC.T", "SELECT ON TABLE {}"),
    ("EXPLAIN SELECT 1 FROM t", "table", "T", "SELECT ON TABLE {}"),
    ('INSERT INTO "EVENTS"."PUBLIC"."Q" SELECT 1 FROM t', "table", "T", "SELECT ON TABLE {}"),
    ('INSERT INTO "EVENTS"."PUBLIC"."T" SELECT 1 FROM q', "table", "T", "INSERT ON TABLE {}"),
    ("UPDATE t SET a = 1", "table", "T", "UPDATE ON TABLE {}"),
    ("DELETE FROM t", "table", "T", "DELETE ON TABLE {}"),
    ("SELECT 1 FROM t", "view", "T", "SELECT ON VIEW {}"),
    ("CREATE TABLE IF NOT EXISTS t (A INT)", "schema", "PUBLIC", 'CREATE TABLE ON SCHEMA "EVENTS"."PUBLIC"'),
    ("CREATE HYBRID TABLE t (A INT)", "schema", "PUBLIC", 'CREATE HYBRID TABLE ON SCHEMA "EVENTS"."PUBLIC"'),
    ("CREATE OR REPLACE VIEW t AS SELECT 1", "schema", "PUBLIC", 'CREATE VIEW ON SCHEMA "EVENTS"."PUBLIC"'),
    ("SHOW TABLES", "schema", "PUBLIC", 'USAGE ON SCHEMA "EVENTS"."PUBLIC"'),
    ("SHOW SCHEMAS", "database", "EVENTS", 'USAGE ON DATABASE "EVENTS"'),
    ("SELECT 1", "warehouse", "WH", 'USAGE ON WAREHOUSE "WH"'),
]
TABLE = '"EVENTS"."PUBLIC"."T"'


@pytest.mark.parametrize(("statement", "kind", "name", "grant"), GRANTS)
def test_a_missing_privilege_is_named_as_its_grant(statement: str, kind: str, name: str, grant: str) -> None:
    assert fix(statement, denied(kind, name)) == f'GRANT {grant.format(TABLE)} TO ROLE "LOADER";'


@pytest.mark.parametrize(
    ("statement", "kind"), [("ALTER TABLE t ADD COLUMN a INT", "table"), ("CALL x()", "procedure")]
)
def test_where_the_statement_does_not_say_the_privilege_the_advice_stays(statement: str, kind: str) -> None:
    assert fix(statement, denied(kind, "T")) == "advice"


def test_a_database_a_schema_and_a_warehouse_that_are_not_there_have_their_grant() -> None:
    for kind, name in (("Database", '"EVENTS"'), ("Schema", '"EVENTS"."PUBLIC"')):
        error = DoesNotExist("Snowflake failed", f"{kind} 'X' does not exist or not authorized.", "advice")
        assert fix("SELECT 1", error) == (
            f'Correct the name, create it, or run GRANT USAGE ON {kind.upper()} {name} TO ROLE "LOADER";'
        )
    no_warehouse = ConfigurationError("Snowflake failed", "No active warehouse selected in the current session.")
    assert 'GRANT USAGE ON WAREHOUSE "WH" TO ROLE "LOADER";' in fix("SELECT 1", no_warehouse)
    assert 'ALTER WAREHOUSE "WH" SET AUTO_RESUME = TRUE;' in fix("SELECT 1", no_warehouse)


def test_another_error_stays_as_it_is() -> None:
    before = RowLocked("Snowflake failed", "a lock", "wait")
    after = Refusal("UPDATE t", TARGET, "EVENTS", "PUBLIC").with_fix(before)
    assert (type(after), after.args) == (RowLocked, before.args)


def test_a_refused_key_is_named_by_its_fingerprint_which_no_mask_hides() -> None:
    key = rsa.generate_private_key(65537, 2048)
    fix = sign_in(snowflake(private_key=Secret(pem(key))), "JWT token is invalid")
    assert fingerprint(key) in mask(fix)
    assert 'DESC USER "EVSUP";' in fix


def test_a_refused_token_may_be_one_of_a_wrong_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snowflake has the same words for it."""
    monkeypatch.setattr("time.time", lambda: 1_790_000_000.0)
    signer = snowflake(private_key=Secret(key()))
    for why in ("JWT token is invalid. [0ce9eb56]", "HTTP 401, error_code=390144"):
        assert sign_in(signer, why).endswith("clock of this host, if it is wrong: it says 2026-09-21 14:13:20 UTC.")
    assert "clock" not in sign_in(signer, "Incorrect username or password was specified.")


def test_a_fingerprint_is_what_openssl_and_snowflake_make_of_the_public_key() -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kind, _, text = fingerprint(key).partition(":")
    assert (kind, b64decode(text)) == ("SHA256", sha256(public).digest())


def test_a_refused_role_is_named_by_its_grant() -> None:
    why = "Role 'LOADER' specified in the connect string does not exist or not authorized."
    assert sign_in(TARGET, why) == 'Correct SNOWFLAKE_ROLE, or run GRANT ROLE "LOADER" TO USER "EVSUP";'


@pytest.mark.parametrize(
    ("why", "fix"),
    [
        ("Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake.", "NETWORK_POLICY"),
        ("Authentication attempt rejected by the current authentication policy.", "SHOW AUTHENTICATION POLICIES"),
        ("User temporarily locked. Try again later, or contact your local system administrator.", "MINS_TO_UNLOCK"),
        ("User access disabled. Contact your local system administrator.", "DISABLED = FALSE"),
    ],
)
def test_a_policy_or_a_lock_is_named_and_no_key(why: str, fix: str) -> None:
    for settings in (TARGET, snowflake(oauth_client_id="id")):
        assert fix in sign_in(settings, why)


def test_a_session_that_a_policy_bars_says_whose_policy() -> None:
    why = "Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake."
    assert 'FOR USER "EVSUP"' in Refusal("SELECT 1", TARGET, "A", "B").with_fix(NotPermitted("No", why)).fix


def test_a_refused_token_names_the_integration_and_no_key() -> None:
    assert "DESC SECURITY INTEGRATION" in sign_in(snowflake(oauth_client_id="id"), "Invalid OAuth access token")


def test_a_key_file_that_was_taken_away_is_named() -> None:
    error = NotSignedIn("Snowflake failed", "JWT token is invalid")
    settings = snowflake(private_key_file="/nowhere/key.p8")
    assert "The private key" in Refusal("SELECT 1", settings, "A", "B").with_fix(error).fix


@pytest.mark.parametrize(
    ("code", "grant"),
    [
        ("ERR_DATABASE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED", 'USAGE ON DATABASE "EVENTS"'),
        ("ERR_SCHEMA_DOES_NOT_EXIST_OR_NOT_AUTHORIZED", 'USAGE ON SCHEMA "EVENTS"."PUBLIC"'),
        ("ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED", 'INSERT ON TABLE "EVENTS"."PUBLIC"."FLIGHTS"'),
        ("ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED", 'INSERT ON TABLE "EVENTS"."PUBLIC"."FLIGHTS"'),
    ],
)
def test_a_refused_target_has_the_grant_for_the_part_that_is_named(code: str, grant: str) -> None:
    assert f'GRANT {grant} TO ROLE "LOADER";' in target(TARGET, f"HTTP 404, error_code={code}")
