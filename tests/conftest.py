"""Fixtures of both tiers that run the real evsup, the order of files, and how much hypothesis tries."""

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from shared import command_line
from shared.log import secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.pipeline import Pipeline

# The suite gives one answer to one state of the code; what nobody has thought of yet is sought with `make fuzz`. No
# deadline for a single example: a loaded machine is not a bug, and a test has a time limit of its own.
settings.register_profile("evsup", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=1000)
settings.load_profile("evsup")

# A shell starts background jobs with SIGINT ignored, and what ignores a signal passes that on to all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A process of the suite takes whole files, in their order. The longest come first, so that all processes end together:
# those of 35 s and more, by `make test` with `--durations=0` on two cores.
LONGEST_FIRST = (
    "test_columns",
    "test_check",
    "test_faults_stage",
    "test_faults_sink",
    "test_verify",
    "test_added_partitions",
    "test_faults_processes",
    "test_receiver",
    "test_target_table_unseen",
    "test_faults_resume",
    "test_handover",
    "test_faults_late_counts",
    "test_quarantine",
    "test_target_table",
    "test_cycles",
    "test_columns_evolve",
    "test_moving_over",
    "test_chaos",
    "test_hosts",
    "test_avro",
    "test_demo",
    "test_faults_store",
    "test_faults_source",
    "test_smoke",
    "test_secrets",
    "test_hangs_and_host_stalls",
    "test_sdk_consumer_beside_evsup",
    "test_stalls",
    "test_store_sdk_processor",
    "test_snowflake_store",
    "test_access",
    "test_store_sdk",
    "test_failover",
    "test_checkpoints",
    "test_newest_connector",
    "test_faults_passing",
    "test_identity",
    "test_store_snowflake",
    "test_replay",
    "test_store_ownership",
    "test_stdout",
    "test_target_table_changes",
    "test_every_event_once",
    "test_localcloud_hub_faults",
    "test_faults_expired_channel",
    "test_oldest_dependencies",
    "test_faults_kills",
    "test_printed_commands",
    "test_refusals",
    "test_limits",
    "test_simulation",
    "test_status_and_log",
    "test_takeovers",
    "test_faults_sabotage",
    "test_max_wait_time",
    "test_mixed_groups",
    "test_localcloud_hub",
    "test_http",
    "test_file_mode",
    "test_localcloud_snow",
    "test_signals",
    "test_store_checkpoints",
    "test_oauth",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the others stay in the order of the tiers."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(autouse=True)
def _credentials_of_no_other_test() -> None:
    """What one test remembers to mask may be a plain word in the next."""
    secret.forget_all()


@pytest.fixture(autouse=True)
def _call_of_no_other_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test calls evsup with is not what the messages of the next repeat."""
    monkeypatch.setenv(command_line.VARIABLE, "")


@pytest.fixture
def pipeline() -> "Iterator[Pipeline]":
    """Services of one partition, for this test alone."""
    yield from _pipeline(1)


@pytest.fixture
def pipeline2() -> "Iterator[Pipeline]":
    """Services of two partitions, for this test alone."""
    yield from _pipeline(2)


def _pipeline(partitions: int) -> "Iterator[Pipeline]":
    from tests.harness.pipeline import pipeline_of  # unit tests need none of what it imports

    with pipeline_of(partitions) as made:
        yield made
