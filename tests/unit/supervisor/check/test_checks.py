"""Which checks there are depends on the settings."""

import os
from collections.abc import Iterator, Mapping

import pytest

from shared.errors import ConfigurationError
from supervisor.check import checks
from supervisor.check.checks import StartChecks
from supervisor.check.runner import LIMIT_S
from tests.unit.shared.config.configurations import CONNECTION_STRING, complete


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first check puts the settings into the environment, for this test alone."""
    monkeypatch.setattr(os, "environ", dict(os.environ))


def names(**settings: str) -> Iterator[str]:
    os.environ.update(complete(EVENTHUB_CONNECTION_STRING=CONNECTION_STRING, **settings))
    for stage in StartChecks(None, lambda _: ()).stages():
        for check in stage:
            yield check.name
            if check.name == "config":
                assert check.run().verdict == "ok"


def test_the_quarantine_is_checked_where_rejected_rows_are_quarantined() -> None:
    assert "quarantine" not in list(names())
    assert "quarantine" in list(names(SNOWFLAKE_ON_REJECT="quarantine", SNOWFLAKE_WAREHOUSE="WH"))


def test_the_definition_of_a_pipe_is_checked_where_the_settings_name_one() -> None:
    assert "pipe definition" not in list(names())
    assert "pipe definition" in list(names(SNOWFLAKE_PIPE="MINE"))


def test_the_first_check_names_the_sdks_that_run() -> None:
    os.environ.update(complete(EVENTHUB_CONNECTION_STRING=CONNECTION_STRING))
    [config], *_ = StartChecks(None, lambda _: ()).stages()
    assert "azure-eventhub 5.15" in config.run().detail


def test_no_service_is_called_silent_because_the_import_of_its_sdk_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr(checks, "import_module", imported.append)
    os.environ.update(complete(EVENTHUB_CONNECTION_STRING=CONNECTION_STRING))
    [config], *_ = StartChecks(None, lambda _: ()).stages()
    config.run()
    assert imported == ["snowflake.connector"]
    assert config.limit_s == checks.IMPORT_S > LIMIT_S


def test_what_other_variables_would_end_a_start_with_fails_the_first_check() -> None:
    def refused(environ: Mapping[str, str]) -> tuple[str, ...]:
        raise ConfigurationError(f"OTHER={environ['OTHER']} ends a start")

    os.environ.update(complete(EVENTHUB_CONNECTION_STRING=CONNECTION_STRING, OTHER="value"))
    [config], *_ = StartChecks(None, refused).stages()
    with pytest.raises(ConfigurationError, match="OTHER=value"):
        config.run()


def test_what_is_doubtful_about_settings_and_other_variables_is_one_warning() -> None:
    os.environ.update(complete(EVENTHUB_CONNECTION_STRING=CONNECTION_STRING, SNOWFLAKE_COMMIT_TIMEOUT="1"))
    [config], *_ = StartChecks(None, lambda _: ("OTHER is doubtful",)).stages()
    found = config.run()
    assert found.verdict == "warn"
    assert found.detail.startswith("SNOWFLAKE_COMMIT_TIMEOUT=1 ")
    assert found.detail.endswith("; OTHER is doubtful")
