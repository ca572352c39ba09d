"""The rows are what the user's mapper makes of the events, and what it cannot map is not stored."""

import json
from pathlib import Path

from scripts.harness.table import EVENTS
from tests.harness.pipeline import UNCHECKED, pipeline_of

MAPPER = """\
from shared.mapper import Event, Row


def doubled(event: Event) -> Row:
    number = event.value["n"]
    return {"PAYLOAD": {"n": number, "partition": event.partition_id, "doubled": 2 * number}}
"""


def test_a_mapper_makes_the_rows_and_its_failure_names_event_and_line(tmp_path: Path) -> None:
    file = tmp_path / "users_mapper.py"
    file.write_text(MAPPER)
    with pipeline_of(PYTHONPATH=str(tmp_path), EVSUP_MAPPER="users_mapper:doubled") as pipeline:
        pipeline.publish(20)
        assert "users_mapper:doubled" in pipeline.check()
        evsup = pipeline.start(**UNCHECKED)
        pipeline.await_all()
        found = pipeline.snow.query(f"SELECT PAYLOAD FROM {EVENTS} ORDER BY SEQUENCE_NUMBER")  # noqa: S608
        assert [json.loads(payload)["doubled"] for (payload,) in found] == [2 * n for n in range(20)]
        pipeline.hub.append("0", [b'{"secret": 1}'])
        assert evsup.wait() == 65
        assert "Partition 0, event 20" in evsup.last_line
        assert f"it raises KeyError at {file}:5 (doubled)" in evsup.last_line
        assert "secret" not in evsup.stderr

        file.write_text(MAPPER.replace('["n"]', '.get("n", 0)'))
        again = pipeline.start(**UNCHECKED)
        pipeline.await_all()
        assert again.stop() == 0
        pipeline.output("verify")
        pipeline.output("replay", "--partition", "0", "--from", "0", "--to", "19", "--into", "AGAIN")
        ((doubled,),) = pipeline.snow.query("SELECT count(PAYLOAD->>'doubled') FROM EVSUP.PUBLIC.AGAIN")
        assert doubled == 20


def test_a_mapper_that_cannot_be_imported_ends_a_start_and_a_check_with_78() -> None:
    with pipeline_of(EVSUP_MAPPER="no_such_module:function") as pipeline:
        for command in ("start", "check"):
            done = pipeline.run(command)
            assert done.returncode == 78, done.stderr
            assert "The mapper no_such_module:function cannot be used" in " ".join((done.stdout + done.stderr).split())
        with pipeline.store() as store:
            assert not store.ownerships()
