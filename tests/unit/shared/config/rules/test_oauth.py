"""Signing in to Snowflake: by key pair or by OAuth, and each wrong mix is one fault."""

from pathlib import Path

import pytest

from shared.log.secret import Secret
from tests.unit.shared.config.configurations import complete, fault_text, key, loaded

OAUTH = {
    "SNOWFLAKE_PRIVATE_KEY": "",
    "SNOWFLAKE_OAUTH_CLIENT_ID": "evsup",
    "SNOWFLAKE_OAUTH_CLIENT_SECRET": "c4nary",
    "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT": "https://login.example.com/token",
}


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_client_credentials_take_the_place_of_the_key() -> None:
    target = loaded(**OAUTH).settings.snowflake
    assert (target.oauth_client_id, target.oauth_client_secret) == ("evsup", Secret("c4nary"))


@pytest.mark.parametrize(
    ("changes", "variable", "reason"),
    [
        ({"SNOWFLAKE_PRIVATE_KEY": key()}, "SNOWFLAKE_OAUTH_CLIENT_ID", "and so is SNOWFLAKE_PRIVATE_KEY"),
        ({"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "x"}, "SNOWFLAKE_OAUTH_CLIENT_ID", "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"),
        ({"SNOWFLAKE_OAUTH_CLIENT_ID": ""}, "SNOWFLAKE_OAUTH_CLIENT_ID", "is required beside"),
        ({"SNOWFLAKE_OAUTH_TOKEN_ENDPOINT": ""}, "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT", "is required beside"),
        ({"SNOWFLAKE_OAUTH_CLIENT_SECRET": ""}, "SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE", "is required; or set"),
        ({"SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE": "full"}, "SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE", "drop one of the two"),
        ({"SNOWFLAKE_OAUTH_TOKEN_ENDPOINT": "http://h/t"}, "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT", "https://HOST/PATH"),
        ({"SNOWFLAKE_OAUTH_TOKEN_ENDPOINT": "https://u@h/t"}, "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT", "without a user"),
        ({"SNOWFLAKE_OAUTH_TOKEN_ENDPOINT": "https:///t"}, "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT", "host is missing"),
        (
            {"SNOWFLAKE_STREAMING_PROPERTIES": '{"authorization_type": "PAT"}'},
            "SNOWFLAKE_STREAMING_PROPERTIES",
            "SNOWFLAKE_OAUTH_CLIENT_ID",
        ),
    ],
)
def test_each_wrong_mix_is_one_fault(changes: dict[str, str], variable: str, reason: str) -> None:
    write(Path("full"), "c4nary")
    told = fault_text(complete(**OAUTH | changes))
    assert told.startswith(f"The configuration cannot be used: 1 fault\n  {variable}"), told
    assert reason in " ".join(told.split())
    assert "c4nary" not in told


@pytest.mark.parametrize(("content", "reason"), [(None, "no such file"), (" \n", "is empty"), ("c4nary\n", "")])
def test_a_file_of_the_secret_has_to_hold_one(content: str | None, reason: str) -> None:
    if content is not None:
        write(Path("secret"), content)
    from_file = {"SNOWFLAKE_OAUTH_CLIENT_SECRET": "", "SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE": "secret"}
    told = fault_text(complete(**OAUTH | from_file))
    assert reason in told if reason else not told


def test_a_file_of_the_secret_that_others_can_read_is_a_warning() -> None:
    write(Path("secret"), "c4nary")
    Path("secret").chmod(0o644)
    from_file = {"SNOWFLAKE_OAUTH_CLIENT_SECRET": "", "SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE": "secret"}
    assert "SNOWFLAKE_OAUTH_CLIENT_SECRET_FILE can be read by others" in loaded(**OAUTH | from_file).warnings[0]


def write(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o600)
