"""What no test may leave to another, the order of files, and how much hypothesis tries."""

import gc
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from shared import command_line
from shared.log import secret

# The suite gives one answer to one state of the code; what nobody has thought of yet is sought with `make fuzz`. No
# deadline for a single example: a loaded machine is not a bug, and a test has a time limit of its own.
settings.register_profile("evsup", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=1000)
settings.load_profile("evsup")

# A shell starts background jobs with SIGINT ignored, and what ignores a signal passes that on to all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()  # until all tests are collected: what is made until then stays

TESTS = Path(__file__).parent

# A process of the suite takes whole files, in their order. The longest come first, so that all processes end together:
# those of 35 s and more, by `make test` with `--durations=0` on two cores.
LONGEST_FIRST = (
    "acceptance/rows/test_columns",
    "integration/faults/test_sink",
    "integration/group/test_added_partitions",
    "integration/faults/test_processes",
    "integration/eventhubs/test_receiver",
    "acceptance/target/test_table_unseen",
    "integration/faults/test_resume",
    "integration/group/test_handover",
    "integration/faults/test_late_counts",
    "integration/target/test_quarantine",
    "acceptance/target/test_table",
    "acceptance/commands/test_verify",
    "acceptance/commands/test_check",
    "integration/faults/test_stage",
    "chaos/test_cycles",
    "acceptance/rows/test_columns_evolve",
    "acceptance/moving_over/test_steps",
    "chaos/test_chaos",
    "chaos/test_hosts",
    "acceptance/rows/test_avro",
    "acceptance/scripts/test_demo",
    "integration/faults/test_store",
    "integration/faults/test_source",
    "acceptance/scripts/test_smoke",
    "acceptance/credentials/test_secrets",
    "integration/processes/test_hangs_and_host_stalls",
    "integration/azure_sdk/test_consumer_beside_evsup",
    "integration/faults/test_stalls",
    "integration/azure_sdk/test_processor",
    "acceptance/start/test_snowflake_store",
    "integration/eventhubs/test_access",
    "integration/azure_sdk/test_store",
    "integration/store/postgres/test_failover",
    "acceptance/commands/test_checkpoints",
    "integration/versions/test_newest_connector",
    "integration/faults/test_passing",
    "acceptance/credentials/test_identity",
    "integration/store/test_snowflake",
    "acceptance/commands/test_replay",
    "integration/store/test_ownership",
    "acceptance/commands/test_stdout",
    "acceptance/target/test_table_changes",
    "acceptance/start/test_every_event_once",
    "integration/localcloud/hub/test_faults",
    "integration/faults/test_expired_channel",
    "integration/versions/test_oldest_dependencies",
    "integration/faults/test_kills",
    "acceptance/commands/test_printed_commands",
    "acceptance/start/test_refusals",
    "integration/processes/test_limits",
    "simulation/test_simulation",
    "acceptance/commands/test_status_and_log",
    "acceptance/moving_over/test_takeovers",
    "integration/faults/test_sabotage",
    "acceptance/start/test_max_wait_time",
    "integration/group/test_mixed_groups",
    "integration/localcloud/hub/test_sdk",
    "integration/operator/test_http",
    "integration/target/test_file_mode",
    "integration/localcloud/snow/test_streaming",
    "acceptance/start/test_signals",
    "integration/store/test_checkpoints",
    "acceptance/credentials/test_oauth",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the others stay in the order of the tiers."""
    places = {TESTS / f"{name}.py": place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """A receiver collects garbage at the end of each link: it need not look through all that the suite has imported."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _credentials_of_no_other_test() -> None:
    """What one test remembers to mask may be a plain word in the next."""
    secret.forget_all()


@pytest.fixture(autouse=True)
def _call_of_no_other_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test calls evsup with is not what the messages of the next repeat."""
    monkeypatch.setenv(command_line.VARIABLE, "")
