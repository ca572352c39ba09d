"""Whatever happens to standard output, a command keeps its exit code: scripts go by it."""

import fcntl
import json
import os
import shlex
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from scripts.harness.evsup import EVSUP
from scripts.harness.waiting import PATIENCE_S, eventually
from tests.harness.pipeline import Pipeline, pipeline_of

PIPE_BYTES = 4096  # the smallest that Linux has

# Each with its usual code. No tree runs, so `status` is 3; nobody holds the partition, so `--all` is 3 as well.
COMMANDS = {
    "--help": 0,
    "config --json": 0,
    "status": 3,
    "status --all": 3,
    "status --all --watch": 3,
    "check": 0,
    "verify": 0,
    "checkpoints list": 0,
    "checkpoints export": 0,
    "init --print": 0,
}


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """Events that nobody reads."""
    with pipeline_of() as made:
        made.publish(10)
        yield made


def run(pipeline: Pipeline, command: str, redirection: str) -> tuple[int, str]:
    """Exit code and standard error of a command whose standard output is this stream."""
    script = f'exec "$0" {command} {redirection}'
    done = subprocess.run(
        ["sh", "-c", script, EVSUP],
        env=pipeline.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"status --all --watch"}))
def test_a_full_disk_is_75_and_one_line(pipeline: Pipeline, command: str) -> None:
    code, stderr = run(pipeline, command, "> /dev/full")
    assert code == 75
    assert stderr.startswith("evsup: The output could not be written: standard output: No space left on device.")
    assert stderr.count("\n") == 1


@pytest.mark.parametrize(("command", "code"), COMMANDS.items())
def test_a_reader_that_has_left_changes_nothing(pipeline: Pipeline, command: str, code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [EVSUP, *shlex.split(command)],
            env=pipeline.environment,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=PATIENCE_S,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (code, b"")


@pytest.mark.parametrize("command", ["config --json", "status", "check", "checkpoints export"])
def test_a_stream_that_was_closed_at_the_start_changes_nothing(pipeline: Pipeline, command: str) -> None:
    assert run(pipeline, command, ">&-") == (COMMANDS[command], "")


@pytest.mark.parametrize(("command", "code"), [("config", 75), ("nonsense", 64), ("replay", 64)])
def test_a_standard_error_that_takes_nothing_changes_no_exit_code(pipeline: Pipeline, command: str, code: int) -> None:
    assert run(pipeline, command, "> /dev/full 2> /dev/full") == (code, "")


def test_a_stream_that_does_not_block_gets_all_of_it(pipeline: Pipeline) -> None:
    """A program in Node.js gives such pipes to the commands that it starts."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(writer, False)
    with subprocess.Popen([EVSUP, "config", "--json"], env=pipeline.environment, stdout=writer) as process:
        os.close(writer)
        eventually(lambda: waiting_bytes(reader) == PIPE_BYTES, "the pipe is full")
        with os.fdopen(reader) as output:
            assert "EVSUP_LOG_LEVEL" in json.load(output)["settings"]
        assert process.wait(PATIENCE_S) == 0


def waiting_bytes(reader: int) -> int:
    """How much of a pipe nobody has read yet (ioctl_pipe(2), FIONREAD)."""
    return int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, bytes(4)), sys.byteorder)
