"""Positions moved by hand: the plan says what will happen, and exactly that happens."""

import json
from datetime import UTC, datetime
from pathlib import Path

from scripts.localcloud.blob import SAS, local_blobs
from shared.azure import consumer_group
from tests.acceptance.evsup import Held, Pipeline, eventually

P = "0"


def moved_and_drained(pipeline: Pipeline, events: int = 500) -> None:
    """That many events in the table, token and checkpoint at the last of them, and 100 more in the hub."""
    pipeline.publish(events)
    evsup = pipeline.start()
    pipeline.await_all()
    assert evsup.stop() == 0
    pipeline.publish(100)


def checkpoints(pipeline: Pipeline, *arguments: str, code: int = 0) -> str:
    """What the command printed; fails with its stderr unless it ended with `code`."""
    done = pipeline.run("checkpoints", *arguments)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def finish(pipeline: Pipeline, rows: int) -> Held:
    """Start, wait for so many rows, drain; what the table then has."""
    evsup = pipeline.start()
    evsup.await_running(1)
    eventually(lambda: pipeline.rows() >= rows or not evsup.is_running, f"{rows} rows are in the table")
    assert evsup.stop() == 0, evsup.last_line
    return pipeline.in_table()[P]


def test_set_back_repeats_exactly_the_events_that_the_plan_names(pipeline: Pipeline) -> None:
    moved_and_drained(pipeline)
    command = ("set", "--partition", P, "--sequence-number", "299")
    told = checkpoints(pipeline, *command)
    assert "200 events, 300 to 499: rows of the table come again" in told
    assert "Nothing was changed" in told
    assert pipeline.checkpoint(P).sequence_number == 499  # type: ignore[union-attr]
    assert "Done." in checkpoints(pipeline, *command, "--yes")
    assert finish(pipeline, 800) == Held(800, 600, 0, 599)
    assert finish(pipeline, 800) == Held(800, 600, 0, 599), "a further start repeats nothing"


def test_set_forward_skips_exactly_the_events_that_the_plan_names(pipeline: Pipeline) -> None:
    moved_and_drained(pipeline)
    told = checkpoints(pipeline, "set", "--partition", P, "--sequence-number", "549", "--yes")
    assert "50 events, 500 to 549: are never read" in told
    held = finish(pipeline, 550)
    assert (held.rows, held.distinct, held.last, held.gaps) == (550, 550, 599, 50)


def test_reset_reads_from_the_oldest_event_or_from_the_end(pipeline: Pipeline) -> None:
    moved_and_drained(pipeline)
    checkpoints(pipeline, "reset", "--partition", P, "--to", "@latest", "--yes")
    pipeline.publish(10)
    held = finish(pipeline, 510)
    assert (held.rows, held.last, held.gaps) == (510, 609, 100)
    told = checkpoints(pipeline, "reset", "--all", "--to", "-1", "--yes")
    assert "610 events, 0 to 609: rows of the table come again" in told
    assert finish(pipeline, 1120) == Held(1120, 610, 0, 609)


def test_reset_to_a_time_begins_with_the_first_event_enqueued_since(pipeline: Pipeline) -> None:
    pipeline.publish(500)
    between = datetime.now(UTC).isoformat()
    pipeline.publish(100)
    for moment, expected in (
        ("2020-01-01T00:00:00Z", "skips    nothing"),
        (between, "500 events, 0 to 499: are never read"),
        ("2099-01-01T00:00:00Z", "600 events, 0 to 599: are never read"),
    ):
        assert expected in checkpoints(pipeline, "reset", "--partition", P, "--to", moment)


def test_a_partition_with_a_live_owner_is_not_moved(pipeline: Pipeline) -> None:
    pipeline.publish(10)
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.await_all()
    command = ("set", "--partition", P, "--sequence-number", "4")
    assert "nothing can be moved until it has let go" in checkpoints(pipeline, *command)
    assert "Partition 0 has a live owner" in checkpoints(pipeline, *command, "--yes", code=75)
    assert evsup.stop() == 0
    assert pipeline.checkpoint(P).sequence_number == 9  # type: ignore[union-attr]
    checkpoints(pipeline, *command, "--yes")


def test_a_token_lost_after_a_move_is_still_refused(pipeline: Pipeline) -> None:
    moved_and_drained(pipeline)
    checkpoints(pipeline, "set", "--partition", P, "--sequence-number", "499", "--yes")
    assert finish(pipeline, 600) == Held(600, 600, 0, 599)
    pipeline.snow.delete_channel(f"{pipeline.channel(P)}_G1")
    evsup = pipeline.start()
    assert evsup.wait() == 65
    assert "the checkpoint is at 599, but the channel has no token" in evsup.last_line
    assert "`evsup checkpoints set --partition 0 --sequence-number N`" in evsup.last_line


def test_a_reader_of_the_azure_sdk_is_taken_over_without_loss_or_repetition(pipeline: Pipeline) -> None:
    pipeline.publish(150)
    group = consumer_group(pipeline.settings.eventhub)
    name = f"{group.fully_qualified_namespace}/{group.eventhub_name}/{group.consumer_group}/checkpoint/{P}".lower()
    with local_blobs() as blobs:
        blobs.metadata[name] = {"offset": "theirs", "sequencenumber": "99"}
        told = checkpoints(pipeline, "import", "--from", f"blob:{blobs.url}?{SAS}", "--yes")
    assert "Read 1 checkpoints (Azure SDK blob checkpoints)" in told
    assert "100 events, 0 to 99: are never read" in told
    assert finish(pipeline, 50) == Held(50, 50, 100, 149)
    assert finish(pipeline, 50) == Held(50, 50, 100, 149), "and it stays so"


def test_bare_integers_of_an_older_program_are_taken_over(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.publish(150)
    (tmp_path / "legacy.json").write_text('{"0": 99}')
    assert "legacy: bare sequence numbers" in checkpoints(pipeline, "import", str(tmp_path / "legacy.json"), "--yes")
    [row] = json.loads(checkpoints(pipeline, "list", "--json"))
    assert (row["sequence_number"], row["generation"], row["lag"]) == (99, 1, 50)


def test_an_exported_position_is_imported_again(pipeline: Pipeline, tmp_path: Path) -> None:
    moved_and_drained(pipeline)
    path = tmp_path / "kept.json"
    checkpoints(pipeline, "export", "--file", str(path))
    checkpoints(pipeline, "export", "--file", str(path), code=64)
    assert path.stat().st_mode & 0o777 == 0o600
    checkpoints(pipeline, "reset", "--partition", P, "--to", "-1", "--yes")
    assert "evsup export, version 1" in checkpoints(pipeline, "import", str(path), "--yes")
    [row] = json.loads(checkpoints(pipeline, "list", "--json"))
    assert (row["sequence_number"], row["generation"], row["lag"], row["owner_id"]) == (499, 2, 100, None)
    assert finish(pipeline, 600) == Held(600, 600, 0, 599)


def test_what_cannot_be_meant_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.publish(10)
    assert "its last event is 9" in checkpoints(
        pipeline, "set", "--partition", P, "--sequence-number", "10", "--yes", code=65
    )
    assert "has no partition 7" in checkpoints(pipeline, "set", "--partition", "7", "--sequence-number", "1", code=64)
    assert "either --sequence-number or --rejected-rows" in checkpoints(pipeline, "set", "--partition", P, code=64)
    assert "--all" in checkpoints(pipeline, "reset", code=64)
    assert "time zone" in checkpoints(pipeline, "reset", "--all", "--to", "2026-01-01", code=78)
    assert "--from cloud" in checkpoints(pipeline, "import", "--from", "cloud:x", code=64)
    (tmp_path / "bad.json").write_text('{"0": -5}')
    assert "holds no checkpoints" in checkpoints(pipeline, "import", str(tmp_path / "bad.json"), code=65)
    assert pipeline.checkpoint(P) is None
