"""Where settings come from, and how their faults are reported."""

from pathlib import Path

import pytest
from msgspec import structs

from shared.config.environment import environment_for_worker, load, load_one, load_worker
from shared.config.settings import Settings
from shared.config.variables import VARIABLES
from shared.errors import ConfigurationError, ExitCode
from shared.log.secret import Secret
from tests.unit.shared.config.configurations import CONNECTION_STRING, PASSPHRASE, complete, fault_text, key, loaded


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_field_of_every_struct_is_a_variable() -> None:
    fields = sum(len(structs.fields(section.type)) for section in structs.fields(Settings))
    assert len(VARIABLES) == fields
    assert all(variable.meaning for variable in VARIABLES.values())


def test_values_get_the_types_of_their_fields() -> None:
    settings = loaded(
        EVENTHUB_PREFETCH="300",
        EVENTHUB_MAX_WAIT_TIME="0",
        EVENTHUB_TRACK_LAST_ENQUEUED="False",
        EVENTHUB_RETRY_MODE="Fixed",
        SNOWFLAKE_STREAMING_PROPERTIES='{"rowset_flush_threshold_kb": "65000"}',
    ).settings
    assert settings.eventhub.prefetch == 300
    assert settings.eventhub.max_wait_time == 0.0
    assert settings.eventhub.track_last_enqueued is False
    assert settings.eventhub.retry_mode == "fixed"
    assert settings.snowflake.private_key == Secret(key().rstrip("\n"))
    assert settings.snowflake.streaming_properties == {"rowset_flush_threshold_kb": "65000"}


def test_the_command_line_wins_over_the_environment_and_that_over_the_file() -> None:
    Path(".env").write_text("EVENTHUB_PREFETCH=1\nEVENTHUB_MAX_BATCH_SIZE=1\nEVSUP_MAX_PARTITIONS=1\n")
    environ = complete(EVENTHUB_MAX_BATCH_SIZE="2", EVSUP_MAX_PARTITIONS="2")
    result = load(environ=environ, overrides={"EVSUP_MAX_PARTITIONS": 3, "EVSUP_DRAIN_TIMEOUT": None})
    assert (result.settings.eventhub.prefetch, result.sources["EVENTHUB_PREFETCH"]) == (1, ".env")
    assert (result.settings.eventhub.max_batch_size, result.sources["EVENTHUB_MAX_BATCH_SIZE"]) == (2, "environment")
    assert (result.settings.process.max_partitions, result.sources["EVSUP_MAX_PARTITIONS"]) == (3, "command line")
    assert (result.settings.process.drain_timeout, result.sources["EVSUP_DRAIN_TIMEOUT"]) == (30.0, "default")


def test_empty_means_unset_in_every_layer() -> None:
    Path(".env").write_text("SNOWFLAKE_ROLE=LOADER\nEVENTHUB_PREFETCH=\n")
    result = load(environ=complete(SNOWFLAKE_ROLE="", EVENTHUB_PREFETCH="  "))
    assert result.settings.snowflake.role == "LOADER"
    assert result.sources["EVENTHUB_PREFETCH"] == "default"


def test_a_line_break_at_the_end_of_a_mounted_secret_does_not_count() -> None:
    settings = loaded(SNOWFLAKE_TABLE="FLIGHTS\n", EVENTHUB_CONNECTION_STRING=CONNECTION_STRING + "\n").settings
    assert settings.snowflake.table == "FLIGHTS"
    assert settings.eventhub.connection_string == Secret(CONNECTION_STRING)


def test_spaces_around_a_secret_belong_to_it() -> None:
    assert VARIABLES["SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"].clean(" a b \n") == " a b "


def test_a_pem_with_escaped_line_breaks_is_a_pem() -> None:
    settings = loaded(SNOWFLAKE_PRIVATE_KEY=key().replace("\n", "\\n")).settings
    assert settings.snowflake.private_key == Secret(key().rstrip("\n"))


def test_nothing_is_interpolated_in_the_file() -> None:
    Path(".env").write_text("EVENTHUB_CONSUMER_GROUP=$Default\nSNOWFLAKE_PRIVATE_KEY_PASSPHRASE='${HOME}#x'\n")
    result = load(environ=complete())
    assert result.settings.eventhub.consumer_group == "$Default"
    assert result.settings.snowflake.private_key_passphrase == Secret("${HOME}#x")


def test_a_named_file_that_is_missing_is_an_error_and_the_default_one_is_not() -> None:
    load(environ=complete())
    with pytest.raises(ConfigurationError, match="no such file"):
        load(Path("nowhere.env"), environ=complete())


def test_a_line_that_is_no_assignment_is_named_by_its_number_only() -> None:
    Path(".env").write_text("EVENTHUB_NAME=flights\n'canary\n")
    with pytest.raises(ConfigurationError, match="line 2") as caught:
        load(environ=complete())
    assert "canary" not in str(caught.value)


def test_a_file_without_an_end_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="has more than"):
        load(Path("/dev/zero"), environ=complete())


@pytest.mark.parametrize("written", [b"EVENTHUB_NAME=\xff\n", *map("A=1\n".encode, ("utf-16", "utf-16-le"))])
def test_a_file_that_is_not_utf_8_is_an_error(written: bytes) -> None:
    Path(".env").write_bytes(written)
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load(environ=complete())


def test_all_faults_are_reported_at_once() -> None:
    text = fault_text(
        {
            "EVENTHUB_PREFETCH": "many",
            "EVENTHUB_STARTING_POSITION": "0",
            "EVENTHUB_OWNERSHIP_EXPIRATION": "20",
            "SNOWFLAKE_TABLE": "My Table",
            "SNOWFLAKE_ROW_FORMAT": "columns",
            "SNOWFLAKE_CHECK_COLUMNS": "false",
            "CONTROL_STORE": "mysql",
        }
    )
    assert "13 faults" in text
    for named in (
        "EVENTHUB_NAMESPACE\n",
        "EVENTHUB_NAME\n",
        "EVENTHUB_PREFETCH = 'many' (environment)",
        "EVENTHUB_STARTING_POSITION = '0'",
        "EVENTHUB_OWNERSHIP_EXPIRATION = '20'",
        "SNOWFLAKE_ACCOUNT\n",
        "SNOWFLAKE_USER\n",
        "SNOWFLAKE_DATABASE\n",
        "SNOWFLAKE_SCHEMA\n",
        "SNOWFLAKE_TABLE = 'My Table'",
        "SNOWFLAKE_PRIVATE_KEY_FILE\n",
        "SNOWFLAKE_CHECK_COLUMNS = 'false'",
        "CONTROL_STORE = 'mysql'",
    ):
        assert f"\n  {named}" in text


def test_a_fault_has_reason_and_example_and_the_exit_code_of_a_configuration() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(environ=complete(EVENTHUB_PREFETCH="0"))
    assert "must be a whole number from 1 to 100000" in caught.value.why
    assert "Example: EVENTHUB_PREFETCH=1000" in caught.value.why
    assert caught.value.exit_code is ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("EVENTHUB_MAX_WAIT_TIME", "-1", "a number of seconds from 0 to 60"),
        ("EVENTHUB_TRACK_LAST_ENQUEUED", "yes", "true or false"),
        ("EVENTHUB_RETRY_TOTAL", "3.5", "a whole number from 0 to 100"),
        ("EVSUP_DRAIN_TIMEOUT", "inf", "a number of seconds above 0, at most 3600"),
        ("EVSUP_DRAIN_TIMEOUT", "nan", "a number of seconds above 0"),
        ("EVSUP_LOG_LEVEL", "loud", "debug, error, info or warning"),
        ("SNOWFLAKE_CHANNEL_PREFIX", "my prefix", "text that matches"),
        ("SNOWFLAKE_STREAMING_PROPERTIES", "{'a': 'b'}", "a JSON object"),
        ("SNOWFLAKE_STREAMING_PROPERTIES", '{"a": 1}', "texts in double quotes"),
        ("SNOWFLAKE_USER", "a\tb", "one line of text"),
        ("SNOWFLAKE_USER", "\udcff", "UTF-8"),
        ("SNOWFLAKE_USER", "EVSUP\u200b", "without control characters or invisible ones"),
        ("CONTROL_SQLITE_PATH", "\ufeff/var/lib/evsup.db", "or invisible ones"),
    ],
)
def test_a_malformed_value_is_refused_in_plain_words(name: str, text: str, reason: str) -> None:
    assert reason in fault_text(complete(**{name: text}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("EVENTHUB_NAMESPACE", "'ns.servicebus.windows.net'"),
        ("EVENTHUB_NAME", "a\tb"),
        ("SNOWFLAKE_WAREHOUSE", "'WH'"),
        ("CONTROL_SNOWFLAKE_SCHEMA", "'S'"),
    ],
)
def test_a_malformed_value_is_not_called_missing_as_well(name: str, text: str) -> None:
    said = fault_text(complete(CONTROL_STORE="snowflake", **{"SNOWFLAKE_WAREHOUSE": "WH"} | {name: text}))
    assert "1 fault\n" in said
    assert f"{name} = " in said


def test_a_misspelt_name_in_the_file_is_a_fault_with_the_right_name() -> None:
    Path(".env").write_text("SNOWFLAKE_TABEL=FLIGHTS\nEVSUP_COLOUR=blue\nSNOWFLAKE_HOME=/opt\nPATH=/bin\n")
    text = fault_text(complete())
    assert "2 faults" in text
    assert "SNOWFLAKE_TABEL" in text
    assert "did you mean SNOWFLAKE_TABLE?" in text
    assert "EVSUP_COLOUR" in text


def test_what_nobody_sees_in_a_name_is_shown() -> None:
    Path(".env").write_text("SNOWFLAKE_TABLE\u200b=FLIGHTS\n")
    assert "  'SNOWFLAKE_TABLE\\u200b'\n      is no setting; did you mean SNOWFLAKE_TABLE?" in fault_text(complete())


def test_each_setting_is_recognised_with_two_letters_exchanged_wherever_they_stand() -> None:
    exchanged = {
        name[:place] + name[place + 1] + name[place] + name[place + 2 :]: name
        for name in VARIABLES
        for place in range(len(name) - 1)
    }
    misspelt = {typed: name for typed, name in exchanged.items() if typed not in VARIABLES}
    Path(".env").write_text("".join(f"{typed}=x\n" for typed in misspelt))
    text = fault_text({})
    said = {typed: f"  {typed}\n      is no setting; did you mean {name}?" for typed, name in misspelt.items()}
    assert [typed for typed, fault in said.items() if fault not in text] == []


@pytest.mark.parametrize("name", ["EVENT_HUB_NAME", "EVENTHUBS_NAME"])
def test_a_name_that_another_tool_may_read_is_left_alone_beside_what_it_resembles(name: str) -> None:
    assert loaded(**{name: "x"}).warnings == ()
    alone = {"EVENTHUB_CONNECTION_STRING": CONNECTION_STRING, "EVENTHUB_NAMESPACE": "", "EVENTHUB_NAME": "", name: "x"}
    assert loaded(**alone).warnings == (f"{name} is no setting of evsup; did you mean EVENTHUB_NAME?",)


def test_a_misspelt_name_in_the_environment_is_only_a_warning() -> None:
    result = loaded(SNOWFLAKE_TABEL="FLIGHTS", SNOWFLAKE_HOME="/opt")
    assert result.warnings == ("SNOWFLAKE_TABEL is no setting of evsup; did you mean SNOWFLAKE_TABLE?",)


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (
            "EVENTHUB_PREFETCH=1\nEVENTHUB_PREFETCH=2\n",
            "EVENTHUB_PREFETCH is set more than once in .env: line 2 counts",
        ),
        ("EVENTHUB_PREFETCH\n", "EVENTHUB_PREFETCH has no = in line 1 of .env, and is not set there"),
        ("export EVENTHUB_PREFETCH\n", "EVENTHUB_PREFETCH has no = in line 1 of .env, and is not set there"),
        ("CONTROL_POSTGRES_DSN=x\n", ".env has CONTROL_POSTGRES_DSN and can be read by others: chmod 600 .env"),
    ],
)
def test_what_is_doubtful_about_the_file_is_a_warning(lines: str, warning: str) -> None:
    path = Path(".env")
    path.write_text(lines)
    path.chmod(0o644)
    assert loaded().warnings[-1] == warning


def test_nothing_is_doubtful_about_what_others_read_or_may_not_read() -> None:
    path = Path(".env")
    path.write_text("OTHER=1\nOTHER=2\nAZURE_CLIENT_ID\nEVENTHUB_PREFETCH=5\nEVENTHUB_PREFETCH=5\n")
    path.chmod(0o644)
    assert loaded().warnings == ()
    path.write_text(f"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE={PASSPHRASE}\n")
    path.chmod(0o600)
    assert loaded(SNOWFLAKE_PRIVATE_KEY=key("encrypted")).warnings == ()


def test_a_name_in_small_letters_is_no_setting() -> None:
    assert loaded(eventhub_prefetch="5").warnings == (
        "eventhub_prefetch is no setting of evsup; did you mean EVENTHUB_PREFETCH?",
    )
    Path(".env").write_text("eventhub_prefetch=5\n")
    assert "did you mean EVENTHUB_PREFETCH?" in fault_text(complete())


def test_a_worker_gets_the_same_settings_from_its_environment_alone() -> None:
    Path("prod.env").write_text("EVENTHUB_PREFETCH=7\nSNOWFLAKE_PRIVATE_KEY_PASSPHRASE=' x '\n")
    environ = complete()
    result = load(Path("prod.env"), environ, {"EVSUP_MAX_PARTITIONS": 2})
    Path(".env").write_text("EVENTHUB_MAX_BATCH_SIZE=1\n")
    assert load_worker(environ | environment_for_worker(result)) == result.settings


def test_variables_of_opentelemetry_in_the_file_count_as_in_the_environment_which_wins() -> None:
    Path(".env").write_text("OTEL_EXPORTER_OTLP_ENDPOINT=http://file\nOTEL_SERVICE_NAME=file\nOTHER_NAME=file\n")
    found = environment_for_worker(load(environ=complete(OTEL_SERVICE_NAME="environment")))
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://file"
    assert found["OTEL_SERVICE_NAME"] == "environment"
    assert "OTHER_NAME" not in found


def test_a_home_directory_is_found_in_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key.p8").write_text(key())
    settings = loaded(SNOWFLAKE_PRIVATE_KEY="", SNOWFLAKE_PRIVATE_KEY_FILE="~/key.p8").settings
    assert settings.snowflake.private_key_file == str(tmp_path / "key.p8")


PATHS = [name for name in VARIABLES if name.endswith(("_FILE", "_PATH", "_DIR"))]


@pytest.mark.parametrize("name", PATHS)
def test_a_home_directory_of_nobody_is_a_fault(name: str) -> None:
    assert f"{name} = '~nobody.here/file' (environment)\n      begins with ~nobody.here" in fault_text(
        complete(**{name: "~nobody.here/file"})
    )


def test_one_variable_alone_has_the_type_and_the_faults_of_its_field(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EVSUP_STATE_DIR", "~/state")
    assert load_one("EVSUP_STATE_DIR") == str(tmp_path / "state")
    monkeypatch.setenv("EVSUP_STATE_DIR", "~nobody.here/state")
    with pytest.raises(ConfigurationError, match=r"(?s)EVSUP_STATE_DIR.*begins with ~nobody\.here"):
        load_one("EVSUP_STATE_DIR")
