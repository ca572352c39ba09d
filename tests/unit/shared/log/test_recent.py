"""The newest lines are kept, however many and however long, from this process and from others."""

import json
import logging
import threading
from collections.abc import Iterator

import msgspec
import pytest

from shared.log import logger
from shared.log.line import Render, as_json, as_text
from shared.log.recent import LONGEST_TEXT, MOST_LINES, LogLine, RecentLines
from shared.log.secret import Secret

CANARY = "Xq7canary"
EVENT = {"timestamp": "2026-11-28T13:00:00.000000Z", "level": "warning", "event": "sequence_gap", "pid": 7, "count": 3}
SHOWN = LogLine("2026-11-28T13:00:00.000000Z", "warning", "sequence_gap", "count=3")


@pytest.fixture
def recent() -> Iterator[RecentLines]:
    """Of this process's log."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept = RecentLines()
    logger.configure("json")
    logger.keep_in(kept)
    yield kept
    logger.keep_in(None)
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


def test_an_event_is_kept_as_the_log_has_it(recent: RecentLines) -> None:
    logger.get_logger().warning("sequence_gap", partition="3", count=3)
    logger.get_logger().debug("too_low")
    (line,) = recent.lines()
    assert (line.level, line.event, line.text) == ("warning", "sequence_gap", "partition=3 count=3")
    assert line.timestamp.endswith("Z")


def test_no_secret_is_kept(recent: RecentLines) -> None:
    logger.get_logger().error("refused", key=Secret(CANARY), reason=f"password={CANARY}")
    assert CANARY not in str(recent.lines())
    assert "***" in str(recent.lines())


@pytest.mark.parametrize("render", [as_json, as_text])
def test_a_line_that_a_worker_rendered_is_kept_as_its_parts(recent: RecentLines, render: Render) -> None:
    logger.relay(render({key: value for key, value in EVENT.items() if key != "pid"}))
    assert recent.lines() == (SHOWN,)


@pytest.mark.parametrize(
    "line",
    [
        "Thread 0x1 (most recent call first):",
        "{",
        "{}",
        '{"event": 1}',
        "[1]",
        '{"timestamp": 1, "level": 2, "event": 3}',
        "[" * 9999,
        "",
    ],
)
def test_a_line_that_is_not_from_a_log_has_a_text_alone(line: str) -> None:
    kept = RecentLines()
    kept.add_rendered(line)
    assert kept.lines() == (LogLine("", "", "", line[: LONGEST_TEXT - 1] + "…" if len(line) > LONGEST_TEXT else line),)


@pytest.mark.parametrize("key", EVENT)
def test_every_line_can_be_sent_whatever_is_in_it(key: str) -> None:
    kept = RecentLines()
    event = {**EVENT, key: "half a character \ud83d, a path of bytes \udcff"}
    kept.add(event)
    kept.add_rendered(json.dumps(event))
    kept.add_rendered(as_text(event))
    assert all(msgspec.json.encode(line) for line in kept.lines())


def test_a_stack_of_many_lines_takes_the_place_of_one() -> None:
    kept = RecentLines(3)
    kept.add_rendered(json.dumps(EVENT))
    for number in range(20):
        kept.add_rendered(f"  File {number}")
    kept.add_rendered(json.dumps(EVENT))
    before, stack, after = kept.lines()
    assert (before, after) == (SHOWN, SHOWN)
    assert stack.text.splitlines()[:2] == ["  File 0", "  File 1"]


def test_what_is_kept_is_bounded_in_lines_and_bytes() -> None:
    kept = RecentLines()
    for number in range(10 * MOST_LINES):
        kept.add({**EVENT, "count": number, "values": ["é" * 10_000] * 10})
        kept.add_rendered("\x1b" * 100_000)
    assert len(kept.lines()) == MOST_LINES
    assert max(len(line.text) for line in kept.lines()) <= LONGEST_TEXT
    assert "\x1b" not in str(kept.lines()[-1].text)


def test_an_event_is_named_in_few_characters_whatever_a_worker_sends() -> None:
    kept = RecentLines()
    kept.add_rendered(json.dumps({**EVENT, "event": "e" * 50_000, "level": "l" * 50_000, "timestamp": "t" * 50_000}))
    assert sum(map(len, map(str, kept.lines()))) < 4 * LONGEST_TEXT + 100


def test_threads_that_log_at_the_same_time_lose_no_line() -> None:
    kept = RecentLines(10_000)

    def add() -> None:
        for _ in range(1000):
            kept.add(EVENT)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert all(line == SHOWN for line in kept.lines())
    assert len(kept.lines()) == 8000
