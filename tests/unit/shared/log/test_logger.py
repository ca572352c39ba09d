"""Log lines: complete, masked, and never in the way."""

import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
from snowflake.connector.errors import OperationalError

from scripts.harness.waiting import BUSY_S
from shared.log import logger
from shared.log.secret import Secret
from shared.log.stderr import Stderr
from tests.unit.readable import DEADLINE_S

CANARY = "Xq7canary"
Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, output = root.handlers[:], root.level, logger.write_to(None)
    yield
    logger.configure("json")
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    logger.write_to(output)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(writer)
    os.close(reader)


@pytest.fixture
def read(pipe: tuple[int, int]) -> Lines:
    """The lines written since the last call; configures JSON unless the test did something else."""
    reader, writer = pipe
    logger.configure("json", "info", stderr=Stderr(writer), partition="3", epoch=7)

    def lines() -> list[str]:
        assert logger.flush(DEADLINE_S)
        os.set_blocking(reader, False)
        try:
            return os.read(reader, 1 << 20).decode().splitlines()
        except BlockingIOError:
            return []

    return lines


def only(read: Lines) -> dict[str, Any]:
    (line,) = read()
    event: dict[str, Any] = json.loads(line)
    return event


def test_a_line_has_time_level_event_and_the_bound_ids(read: Lines) -> None:
    logger.get_logger().info("partition_claimed", hub="flights")
    event = only(read)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event.pop("timestamp"))
    assert event == {
        "level": "info",
        "event": "partition_claimed",
        "pid": os.getpid(),
        "partition": "3",
        "epoch": 7,
        "hub": "flights",
    }


def test_lines_below_the_level_are_not_written(read: Lines) -> None:
    logger.get_logger().debug("batch_received")
    assert read() == []


@pytest.mark.parametrize(
    "value",
    [
        Secret(CANARY),
        {"deep": [{"er": Secret(CANARY)}]},
        {"password": CANARY},
        f"postgresql://u:{CANARY}@h/db",
        [f"SharedAccessKey={CANARY}"],
        ValueError(f"sig={CANARY}"),
        {f"sig={CANARY}": 1},
        [[[[[[{"password": CANARY}]]]]]],
        [[[[[[[[[[{"password": CANARY}]]]]]]]]]],
    ],
)
def test_no_secret_reaches_a_line(read: Lines, value: object) -> None:
    logger.get_logger().info("setting_shown", value=value)
    (line,) = read()
    assert CANARY not in line


def test_a_status_is_json_down_to_its_histograms(read: Lines) -> None:
    status = {"partitions": [{"latencies": {"enqueued_durable": {"counts": [0, 500], "sum_s": 1.5}}}]}
    logger.get_logger().info("tree_state", status=status)
    assert only(read)["status"] == status


def test_a_credential_under_its_name_is_masked(read: Lines) -> None:
    logger.get_logger().info("setting_shown", passphrase=CANARY)
    assert only(read)["passphrase"] == "***"


def test_the_text_of_an_exception_and_its_causes_is_masked(read: Lines) -> None:
    error = RuntimeError(f"password='{CANARY}'")
    error.__cause__ = ConnectionError(f"SharedAccessKey={CANARY};")
    logger.get_logger().error("worker_failed", exc_info=error)
    event = only(read)
    assert CANARY not in str(event)
    assert "ConnectionError" in event["exception"]
    assert "RuntimeError" in event["exception"]


@pytest.mark.parametrize(
    ("error", "level", "event"),
    [
        (OperationalError("250003: Read timed out"), "warning", "statement_not_canceled"),
        (RuntimeError("boom"), "error", "uncaught_exception"),
    ],
)
def test_what_ends_a_thread_is_one_line_and_of_the_connector_no_bug(
    read: Lines, monkeypatch: pytest.MonkeyPatch, error: Exception, level: str, event: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(threading, "excepthook", None)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    logger.begin("info")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    line = only(read)
    assert (line["level"], line["event"]) == (level, event)
    assert str(error) in str(line)


def test_a_library_speaks_through_the_same_lines_from_warning_up(read: Lines) -> None:
    logging.getLogger("azure.eventhub").info("frame received")
    logging.getLogger("azure.eventhub").warning("retrying with sig=%s", CANARY)
    event = only(read)
    assert (event["event"], event["logger"], event["level"]) == ("library_message", "azure.eventhub", "warning")
    assert event["message"] == "retrying with sig=***"


def test_a_python_warning_is_a_line_too(read: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old call", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "old call" in only(read)["message"]


def test_a_broken_record_of_a_library_costs_nothing(read: Lines) -> None:
    (handler,) = (handler for handler in logging.getLogger().handlers if type(handler).__module__ == logger.__name__)
    handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",), "levelno": logging.WARNING}))
    assert read() == []


def test_a_value_that_cannot_be_shown_costs_nothing(read: Lines) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    logger.get_logger().info("setting_shown", value=Broken(), surrogate="\udcff", huge=10**40)
    assert only(read)["value"] == "<Broken>"


def test_text_keeps_one_event_on_one_line(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    logger.configure("text", "info", stderr=Stderr(writer))
    logger.get_logger().info("partition_claimed", hub="flights\nforged")
    assert logger.flush(DEADLINE_S)
    line = os.read(reader, 4096).decode()
    assert line.count("\n") == 1
    assert "partition_claimed" in line
    assert r"hub='flights\nforged'" in line


def test_a_reader_that_stopped_reading_does_not_stop_the_daemon(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    stderr = Stderr(writer, most_lines=50)
    started = monotonic()
    for number in range(400):
        stderr.write(f"{number} " + "x" * 10_000)
    assert monotonic() - started < BUSY_S
    assert not stderr.flush(0.01)
    read = os.read(reader, 1 << 20)
    while not stderr.flush(0.01):
        read += os.read(reader, 1 << 20)
    stderr.write("the last one")
    assert stderr.flush(DEADLINE_S)
    read += os.read(reader, 1 << 20)
    assert b"log lines could not be written here" in read
    assert read.endswith(b"the last one\n")


def test_nothing_comes_after_the_final_line(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    stderr = Stderr(writer)
    stderr.write("before")
    assert stderr.end("the reason", 5)
    stderr.write("a thread that came back late")
    assert stderr.flush(DEADLINE_S)
    assert os.read(reader, 4096) == b"before\nthe reason\n"


def test_a_reader_that_left_does_not_kill_the_daemon() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stderr = Stderr(writer)
    stderr.write("nobody reads this")
    assert stderr.flush(DEADLINE_S)
    os.close(writer)


def test_a_full_disk_does_not_kill_the_daemon() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    stderr = Stderr(full)
    stderr.write("no space for this")
    assert stderr.flush(DEADLINE_S)
    os.close(full)


def test_a_line_that_was_cut_is_followed_by_a_line_of_its_own(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)  # a pipe that is full takes a part of a line and refuses the rest, as a disk does
    stderr = Stderr(writer)
    stderr.write("x" * 1_000_000)
    assert stderr.flush(5)
    assert set(os.read(reader, 1_000_000)) == {ord("x")}
    stderr.write("the next one")
    assert stderr.flush(5)
    assert os.read(reader, 4096) == b"\nevsup: 1 log lines could not be written here\nthe next one\n"


def test_the_format_is_json_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: True)
    assert logger.default_format() == "text"
    monkeypatch.setattr(os, "isatty", lambda _: False)
    assert logger.default_format() == "json"
