"""A process that holds keys leaves no core file, however it ends."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

ABORT = "import os, resource; print(resource.getrlimit(resource.RLIMIT_CORE), flush=True); os.abort()"
FORBID = "from supervisor import core_file; core_file.forbid();"


def aborted(program: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run in `directory`, with the largest core file allowed that can be."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    allow = f"import resource; resource.setrlimit(resource.RLIMIT_CORE, ({hard}, {hard}));"
    path = f"import sys; sys.path[:0] = [{str(Path.cwd())!r}];"
    return subprocess.run(
        [sys.executable, "-c", path + allow + program],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_process_that_aborts_leaves_no_core_file(tmp_path: Path) -> None:
    ended = aborted(FORBID + ABORT, tmp_path)
    assert ended.returncode == -signal.SIGABRT
    assert ended.stdout.strip() in {"(1, 1)", "(0, 0)"}
    assert not [*tmp_path.iterdir()]


def test_its_children_neither(tmp_path: Path) -> None:
    ended = aborted(FORBID + f"import subprocess; subprocess.run([sys.executable, '-c', {ABORT!r}])", tmp_path)
    assert ended.stdout.strip() in {"(1, 1)", "(0, 0)"}
    assert not [*tmp_path.iterdir()]
