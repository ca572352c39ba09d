"""What a process has no use for it does not import: an SDK takes its time, its memory, and starts threads."""

import subprocess
import sys

import pytest

SDKS = {"azure", "cryptography", "psycopg", "snowflake"}


def imported(module: str) -> set[str]:
    """The packages that a fresh process has after an import."""
    program = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_status_of_a_tree_needs_no_sdk() -> None:
    assert not imported("supervisor.commands.status") & SDKS


@pytest.mark.parametrize("module", ["supervisor.commands.start", "worker.main"])
def test_what_starts_native_threads_is_not_imported_before_it_is_used(module: str) -> None:
    assert "snowflake" not in imported(module)
