"""A worker's stderr is passed on in whole lines, its end is kept, and a worker that floods it delays nobody."""

import json
from collections.abc import Iterator
from multiprocessing import Pipe
from typing import Any

import pytest

from shared.log.line import Render, as_json, as_text
from supervisor.process import stderr_relay
from supervisor.process.stderr_relay import LONGEST_LINE, READ_BYTES, STDERR_LINES, StderrRelay


class Written:
    """A worker's end, and what the supervisor made of it."""

    def __init__(self) -> None:
        stream, self._worker = Pipe(duplex=False)
        self.relay = StderrRelay(stream, "partition 3")

    def write(self, data: bytes) -> None:
        """As the worker."""
        with open(self._worker.fileno(), "wb", closefd=False) as stream:
            stream.write(data)

    def exit(self) -> None:
        """The worker's end closes."""
        self._worker.close()

    def read(self, *, are_stacks: bool = False) -> list[str]:
        """One turn; the lines kept so far."""
        self.relay.read(are_stacks=are_stacks)
        return list(self.relay.lines)


@pytest.fixture
def passed_on(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the supervisor writes to its own stderr."""
    lines: list[str] = []
    monkeypatch.setattr(stderr_relay, "relay", lines.append)
    return lines


@pytest.fixture
def stderr(passed_on: list[str]) -> Iterator[Written]:
    made = Written()
    yield made
    made.relay.close()
    made.exit()


def test_a_line_is_passed_on_when_it_is_whole(stderr: Written, passed_on: list[str]) -> None:
    stderr.write(b"one\ntw")
    assert stderr.read() == ["one"]
    stderr.write(b"o\n")
    assert stderr.read() == ["one", "two"]
    assert passed_on == ["partition 3: one", "partition 3: two"]


@pytest.mark.parametrize("render", [as_json, as_text])
def test_an_event_is_passed_on_as_it_is_and_any_other_line_says_whose_it_is(
    stderr: Written, passed_on: list[str], render: Render
) -> None:
    event = render({"timestamp": "2026-11-28T10:24:21.123456Z", "level": "info", "event": "partition_opened"})
    stderr.write(f"{event}\nFatal Python error: Segmentation fault\n".encode())
    assert stderr.read() == [event, "Fatal Python error: Segmentation fault"], "as it came, for the crash report"
    assert passed_on == [event, "partition 3: Fatal Python error: Segmentation fault"]


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"reason": "authorization: Basic abc", "fix": "x"}, {"reason": "authorization: ***", "fix": "x"}),
        ({"reason": "without a password:", "fix": "x"}, {"reason": "without a password:", "fix": "x"}),
        ({"token": "Xq7canary", "rows": 7}, {"token": "***", "rows": 7}),
        (
            {"in": {"password": "Xq7canary", "of": ["token=Xq7canary"]}},
            {"in": {"password": "***", "of": ["token=***"]}},
        ),
    ],
)
def test_a_line_of_json_is_masked_value_by_value_and_stays_json(
    stderr: Written, passed_on: list[str], event: dict[str, Any], shown: dict[str, Any]
) -> None:
    stderr.write(json.dumps(event).encode() + b"\n")
    assert [json.loads(line) for line in stderr.read()] == [shown]
    assert [json.loads(line) for line in passed_on] == [shown]


def test_secrets_of_a_native_library_are_masked(stderr: Written, passed_on: list[str]) -> None:
    stderr.write(b"password=Xq7canary\n")
    assert stderr.read() == ["password=***"]
    assert passed_on == ["partition 3: password=***"]


def test_a_read_with_nothing_to_read_returns_at_once(stderr: Written) -> None:
    assert stderr.read() == []
    assert not stderr.relay.closed


def test_the_rest_of_an_exited_worker_is_a_line_and_closes_it(stderr: Written) -> None:
    stderr.write(b"last words")
    stderr.exit()
    stderr.read()
    assert stderr.read() == ["last words"]
    assert stderr.relay.closed
    assert stderr.read() == ["last words"]


def test_one_turn_reads_a_part_and_only_the_newest_lines_are_kept(stderr: Written) -> None:
    line = b"x" * 1023 + b"\n"
    stderr.write(line * 20 + b"the last\n" * STDERR_LINES)
    assert len(stderr.read()) == READ_BYTES // len(line)
    stderr.read()
    assert stderr.read() == ["the last"] * STDERR_LINES


def test_a_line_without_an_end_is_cut(stderr: Written) -> None:
    for _ in range(LONGEST_LINE // READ_BYTES + 1):
        stderr.write(b"x" * READ_BYTES)
        stderr.read()
    assert [len(line) for line in stderr.relay.lines] == [LONGEST_LINE + READ_BYTES]


def test_stacks_that_were_asked_for_are_kept_apart(stderr: Written) -> None:
    stderr.write(b"a line\n")
    stderr.read()
    stderr.write(b'File "loop.py", line 1\n')
    assert stderr.read(are_stacks=True) == ["a line"]
    assert list(stderr.relay.stacks) == ['File "loop.py", line 1']
