"""What a process has no use for it does not import: an SDK takes its time, its memory, and starts threads."""

import subprocess
import sys

import pytest

SDKS = {"azure", "cryptography", "psycopg", "snowflake"}
FOR_PEOPLE = {"click", "prometheus_client", "pygments", "rich"}
HTTP = {"aiohttp", "boto3", "botocore", "msal", "opentelemetry", "requests", "urllib3"}
# Of the standard library: what takes 2 ms or more, and only some processes need.
SELDOM = {"asyncio", "csv", "difflib", "dotenv", "sqlite3", "tempfile", "zipfile"}


def imported(*modules: str, then: str = "pass") -> set[str]:
    """The packages that a fresh process has after an import, and a statement."""
    names = "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    program = f"import sys, {', '.join(modules)}; {then}; {names}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_status_of_a_tree_as_json_needs_no_sdk_and_nothing_that_draws_tables() -> None:
    found = imported("supervisor.__main__", "supervisor.cli", "supervisor.commands.status")
    assert "click" in found
    assert not found & (SDKS | HTTP | SELDOM | FOR_PEOPLE - {"click"})


def test_a_worker_loads_the_azure_sdk_and_nothing_that_only_some_workers_need() -> None:
    found = imported("supervisor.__main__", "worker.fork_server")
    assert "azure" in found
    # The Azure SDK itself imports tempfile, through certifi.
    assert not found & (SDKS - {"azure"} | FOR_PEOPLE | HTTP | SELDOM - {"tempfile"})


def test_a_supervisor_loads_neither_what_starts_native_threads_nor_what_serves_http() -> None:
    found = imported("supervisor.__main__", "supervisor.cli", "supervisor.commands.start")
    assert not found & ({"snowflake"} | HTTP | FOR_PEOPLE - {"click"})


@pytest.mark.parametrize(
    "call",
    [
        "evsup.main(['--help'], standalone_mode=False)",
        "evsup.main(['checkpoints', '--help'], standalone_mode=False)",
        "assert len(evsup.shell_complete(click.Context(evsup), '')) >= 8",
    ],
)
def test_the_help_and_the_completion_of_commands_load_none_of_them(call: str) -> None:
    found = imported("click", then=f"from supervisor.cli import evsup; {call}")
    assert not found & (SDKS | HTTP | FOR_PEOPLE - {"click"})
