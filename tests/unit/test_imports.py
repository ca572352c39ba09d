"""What a process has no use for it does not import: an SDK takes its time, its memory, and starts threads."""

import subprocess
import sys

SDKS = {"azure", "cryptography", "psycopg", "snowflake"}
FOR_PEOPLE = {"click", "prometheus_client", "pygments", "rich"}
HTTP = {"aiohttp", "boto3", "botocore", "msal", "opentelemetry", "requests", "urllib3"}
# Of the standard library: what takes 2 ms or more, and only some processes need.
SELDOM = {"asyncio", "csv", "difflib", "dotenv", "sqlite3", "tempfile", "zipfile"}


def imported(*modules: str) -> set[str]:
    """The packages that a fresh process has after an import."""
    program = f"import sys, {', '.join(modules)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


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
