"""No configuration, however wrong, brings a secret to the screen."""

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import convert

from shared.config.environment import load
from shared.config.variables import VARIABLES
from shared.errors import ConfigurationError
from shared.log.secret import Secret
from supervisor.commands.config import document
from tests.unit.shared.config.configurations import complete, fault_text, key

CANARY = "Xq7canaryXq7"
SECRETS = sorted(name for name, variable in VARIABLES.items() if variable.secret)
PLAIN = sorted(VARIABLES.keys() - set(SECRETS))

# How a credential looks when it ends up in the wrong variable.
PASTED = {
    "private key": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
    "private key without line breaks": f"-----BEGIN PRIVATE KEY----- {CANARY} -----END PRIVATE KEY-----",
    "private key without its end": f"-----BEGIN ENCRYPTED PRIVATE KEY-----\\n{CANARY}",
    "connection string": f"Endpoint=sb://ns/;SharedAccessKeyName=a;SharedAccessKey={CANARY}",
    "signature": f"SharedAccessSignature sr=sb%3a%2f%2fns&sig={CANARY}&se=1&skn=a",
    "DSN": f"postgresql://evsup:{CANARY}@db/evsup",
    "DSN of pairs": f"host=db password='a {CANARY}'",
    "proxy": f"http://me:{CANARY}@proxy:3128",
    "token": f"eyJhbGciOiJSUzI1NiJ9.{CANARY}.{CANARY}",
    "JSON": f'{{"oauth_client_secret": "{CANARY}", "n": 1}}',
}
# Only masked in a fault: where it is no fault, it could be the name of a table.
BARE_BASE64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + CANARY + "BKcwggSjAgEAAoIBAQ=="


@pytest.fixture(autouse=True, scope="module")
def _empty_directory(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        yield


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_of_any_setting_reaches_the_fault_text(name: str) -> None:
    text = fault_text({"CONTROL_STORE": "postgres", name: CANARY})
    assert text
    assert CANARY not in text


@pytest.mark.parametrize("pasted", [*PASTED.values(), BARE_BASE64], ids=[*PASTED, "bare base64"])
def test_a_secret_in_the_wrong_variable_is_masked(pasted: str) -> None:
    text = fault_text(dict.fromkeys(PLAIN, pasted))
    assert "EVENTHUB_PREFETCH = '" in text
    assert CANARY not in text


def test_a_password_that_is_also_a_name_refuses_nothing() -> None:
    same = "evsup_loader"
    dsn = f"postgresql://{same}:{same}@db/{same}"
    loaded = load(environ=complete(CONTROL_STORE="postgres", CONTROL_POSTGRES_DSN=dsn, SNOWFLAKE_USER=same))
    assert loaded.settings.snowflake.user == same


def test_loaded_settings_show_no_secret() -> None:
    environ = complete(EVENTHUB_PROXY=f"http://me:{CANARY}@proxy:3128")
    assert CANARY not in repr(load(environ=environ))
    assert key()[40:80] not in repr(load(environ=environ))


texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40),
    st.text(string.printable, max_size=40),
    st.sampled_from(
        ["0", "-1", "1e999", "null", "true", "{}", "~", "/", "[::", "a=b;c", "\udcff", '"', *PASTED.values()]
    ),
    st.integers().map(str),
)
environments = st.dictionaries(st.sampled_from([*VARIABLES, "EVSUP_X", "SNOWFLAKE_TABEL"]), texts, max_size=12)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(environments, st.booleans())
def test_a_random_environment_loads_or_is_refused_and_never_shows_a_secret(
    environ: dict[str, str], based_on_a_valid_one: bool
) -> None:
    environ |= {name: CANARY for name in SECRETS if name in environ}
    try:
        result = load(environ=(complete() if based_on_a_valid_one else {}) | environ)
        shown = f"{result.warnings} {document(result, list(VARIABLES.values()))}"
    except ConfigurationError as error:
        shown = str(error)
    assert CANARY not in shown


@given(content=st.one_of(st.text(max_size=200).map(str.encode), st.binary(max_size=200)))
def test_a_random_file_loads_or_is_refused(content: bytes) -> None:
    Path("random.env").write_bytes(content)
    try:
        load(Path("random.env"), environ=complete())
    except ConfigurationError as error:
        assert str(error)  # noqa: PT017 (either outcome is right)


@given(st.sampled_from([*VARIABLES]), texts)
def test_any_text_of_any_variable_is_a_typed_value_or_a_fault_that_names_it(name: str, text: str) -> None:
    variable = VARIABLES[name]
    try:
        value = variable.of(load(environ=complete() | {name: text}).settings)
    except ConfigurationError as error:
        assert name in str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert type(value) in (Secret, type(None)) if variable.secret else convert(value, variable.type) == value
