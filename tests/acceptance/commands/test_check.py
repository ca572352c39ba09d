"""`evsup check` names each broken thing in a line with its fix, and changes nothing."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from scripts.harness.evsup import EVSUP
from scripts.harness.table import EVENTS
from scripts.harness.waiting import BUSY_S, PATIENCE_S, POLL_S, eventually
from shared.config.formats.private_key import pem
from shared.snowflake.key_pair import fingerprint, signing_key
from shared.snowflake.session import SqlSession
from tests.harness.pipeline import Pipeline, pipeline_of

TABLE = tuple(EVENTS.split("."))
ROLE = "EVSUP_LOADER"


@pytest.fixture(scope="module")
def shared() -> Iterator[Pipeline]:
    """One pipeline for the tests that change nothing, or undo what they have changed."""
    with pipeline_of(1) as made:
        yield made


def checked(pipeline: Pipeline, code: int, **environment: str) -> dict[str, dict[str, Any]]:
    """What `check --json` prints, by check; fails unless it ended with `code`, or when an SDK writes beside it."""
    return {one["name"]: one for one in json.loads(pipeline.check("--json", code=code, **environment))["checks"]}


def unanswered(pipeline: Pipeline, code: int, **environment: str) -> dict[str, dict[str, Any]]:
    """The same where somebody does not answer."""
    output = pipeline.output("check", "--json", code=code, **environment)
    return {one["name"]: one for one in json.loads(output)["checks"]}


def test_a_site_that_is_ready_gets_ok_in_each_line_and_stays_as_it_was(shared: Pipeline) -> None:
    said = shared.check()
    *lines, summary = said.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 13
    assert re.fullmatch(r"13 ok in \d+\.\d s\. A start would work\.", summary)
    assert fingerprint(signing_key(shared.settings.snowflake)) in said
    assert "begins with its oldest event (EVENTHUB_STARTING_POSITION=-1)" in lines[-1]
    assert not shared.snow.channels(), "no channel was opened"
    assert shared.checkpoint("0") is None, "no partition was claimed"


def test_beside_a_running_tree_nothing_is_taken_from_it(pipeline: Pipeline) -> None:
    pipeline.publish(100)
    evsup = pipeline.start()
    pipeline.await_all()
    eventually(lambda: pipeline.position("0") == 99, "it is checkpointed")
    found = checked(pipeline, 0)
    assert found["consumer group"]["detail"] == "$Default, in use by a supervisor"
    assert found["partition 0"]["detail"] == "resumes after event 99: token and checkpoint agree"
    pipeline.publish(100)
    pipeline.await_all()
    assert evsup.stop() == 0
    pipeline.publish(1)
    pipeline.snow.delete_channel(pipeline.channel("0"))
    refused = checked(pipeline, 65)["partition 0"]
    assert "the channel has no token" in refused["detail"]
    assert "evsup checkpoints set --partition 0" in refused["fix"]


BROKEN = [
    ({"SNOWFLAKE_USER": ""}, "config", "SNOWFLAKE_USER", ""),
    (
        {"SNOWFLAKE_DATABASE": "NOPE"},
        "table",
        'no database "NOPE"',
        'USAGE ON DATABASE "NOPE" TO ROLE "EVSUP_LOADER";',
    ),
    ({"SNOWFLAKE_SCHEMA": "NOPE"}, "table", 'no schema "EVSUP"."NOPE"', 'CREATE SCHEMA "EVSUP"."NOPE"'),
]


@pytest.mark.parametrize(("environment", "name", "detail", "fix"), BROKEN, ids=[next(iter(each[0])) for each in BROKEN])
def test_what_is_broken_has_its_line(
    shared: Pipeline, environment: dict[str, str], name: str, detail: str, fix: str
) -> None:
    found = checked(shared, 78, **environment)
    failed = [one["name"] for one in found.values() if one["verdict"] == "fail"]
    assert failed[0] == name
    assert detail in found[name]["detail"]
    assert fix in found[name]["fix"]


def test_what_is_broken_at_once_has_a_line_each(shared: Pipeline) -> None:
    nothing_there = {"CONTROL_SQLITE_PATH": "/tmp/evsup-nothing-is-here.db", "SNOWFLAKE_URL": "https://127.0.0.1:1"}
    found = unanswered(shared, 78, EVENTHUB_CONSUMER_GROUP="nobody", **nothing_there)
    for name, detail, fix in (
        ("consumer group", "could not be found", "EVENTHUB_CONSUMER_GROUP"),
        ("control store", "", "evsup init"),
        ("snowflake login", "", "the network between"),
    ):
        assert found[name]["verdict"] == "fail"
        assert detail in found[name]["detail"]
        assert fix in found[name]["fix"]


def test_a_stage_that_cannot_be_reached_is_named_with_what_helps(shared: Pipeline) -> None:
    shared.snow.set_stage_endpoint("127.0.0.1:1")
    try:
        storage = checked(shared, 69)["storage"]
    finally:
        shared.snow.set_stage_endpoint(shared.stage)
    assert storage["verdict"] == "fail"
    assert "127.0.0.1:1: [Errno 111] Connection refused" in storage["detail"]
    assert "firewall" in storage["fix"]


def test_a_role_that_is_not_ours_is_named_by_sql_and_by_streaming(shared: Pipeline) -> None:
    found = checked(shared, 77, SNOWFLAKE_ROLE="OTHER")
    for name in ("snowflake login", "pipe"):
        assert "'OTHER'" in found[name]["detail"]
        assert 'GRANT ROLE "OTHER" TO USER "EVSUP";' in found[name]["fix"]


def test_a_key_that_is_not_the_user_s_is_named_by_its_fingerprint(shared: Pipeline, tmp_path: Path) -> None:
    other = rsa.generate_private_key(65537, 2048)
    (tmp_path / "key.p8").write_text(pem(other))
    (tmp_path / "key.p8").chmod(0o600)
    found = checked(shared, 77, SNOWFLAKE_PRIVATE_KEY_FILE=str(tmp_path / "key.p8"), SNOWFLAKE_PRIVATE_KEY="")
    for name in ("snowflake login", "pipe"):
        assert fingerprint(other) in found[name]["fix"]


def test_an_unknown_hub_is_named_and_the_checks_that_need_it_are_skipped(shared: Pipeline) -> None:
    elsewhere = {
        name: shared.environment[name].replace("flights", "trains")
        for name in ("EVENTHUB_CONNECTION_STRING", "EVENTHUB_NAME")
    }
    found = checked(shared, 78, **elsewhere)
    assert "EVENTHUB_NAME=trains" in found["hub"]["fix"]
    assert found["consumer group"]["verdict"] == found["pipe"]["verdict"] == "skipped"
    assert found["insert"]["verdict"] == "ok"


def test_without_a_warehouse_everything_else_is_checked(shared: Pipeline) -> None:
    found = checked(shared, 0, SNOWFLAKE_WAREHOUSE="")
    assert found["snowflake login"]["verdict"] == "warn"
    assert found["storage"]["detail"] == f"{shared.stage} answers"
    assert found["insert"]["verdict"] == "ok"


def test_a_missing_grant_and_a_column_that_does_not_fit_are_named(shared: Pipeline) -> None:
    shared.snow.revoke("INSERT", TABLE, ROLE)
    insert = checked(shared, 77)["insert"]
    assert "Insufficient privileges" in insert["detail"]
    assert insert["fix"] == f'GRANT INSERT ON TABLE "{TABLE[0]}"."{TABLE[1]}"."{TABLE[2]}" TO ROLE "{ROLE}";'
    shared.snow.grant("INSERT", TABLE, ROLE)
    shared.snow.create_table(("EVSUP", "PUBLIC", "OTHER"), (("PAYLOAD", "VARCHAR"), ("THEIRS", "FLOAT", False)))
    found = checked(shared, 78, SNOWFLAKE_TABLE="OTHER")["table"]
    assert "PAYLOAD is VARCHAR(16777216), not VARIANT" in found["detail"]
    assert 'ALTER COLUMN "THEIRS" DROP NOT NULL' in found["fix"]


def test_init_creates_the_table_that_check_misses(shared: Pipeline) -> None:
    elsewhere = {"SNOWFLAKE_TABLE": "MADE"}
    missing = checked(shared, 78, **elsewhere)["table"]
    assert missing["verdict"] == "fail"
    assert 'no table "EVSUP"."PUBLIC"."MADE"' in missing["detail"]
    assert "evsup init --target" in missing["fix"]
    for said in ("successfully created", "already exists"):
        done = shared.run("init", "--target", **elsewhere)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert f'"EVSUP"."PUBLIC"."MADE": MADE {said}' in done.stderr.replace("Table ", "")
    assert checked(shared, 0, **elsewhere)["table"]["detail"] == "13 columns, and rows fit"
    shared.snow.revoke("CREATE TABLE", TABLE[:2], ROLE)
    assert shared.run("init", "--target", SNOWFLAKE_TABLE="REFUSED").returncode == 77
    shared.snow.grant("CREATE TABLE", TABLE[:2], ROLE)


def test_the_statement_that_check_prints_makes_the_pipe_that_it_misses(shared: Pipeline) -> None:
    elsewhere = {"SNOWFLAKE_PIPE": "MADE_PIPE"}
    missing = checked(shared, 78, **elsewhere)["pipe definition"]
    assert "There is no pipe" in missing["detail"]
    [statement] = re.findall(r'CREATE PIPE "EVSUP"."PUBLIC"."MADE_PIPE" AS .*?;', missing["fix"])
    with closing(SqlSession(shared.settings.snowflake)) as session:
        session.change(statement)
    assert checked(shared, 0, **elsewhere)["pipe definition"]["detail"] == "MADE_PIPE: columns are matched by name"


@contextmanager
def waiting_for_snowflake(pipeline: Pipeline) -> Iterator[subprocess.Popen[bytes]]:
    """A check that has asked. On a busy machine one may give up before that, while it still imports the connector."""
    before = pipeline.snow.fired().get("hang login", 0)
    while True:
        with subprocess.Popen(
            [EVSUP, "check"],
            env=pipeline.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as check:
            while pipeline.snow.fired().get("hang login", 0) == before and check.poll() is None:
                time.sleep(POLL_S)
            if check.returncode is None:
                yield check
                return


def test_ctrl_c_ends_it_at_once_and_silently_although_a_service_does_not_answer(shared: Pipeline) -> None:
    shared.snow.hang("login", times=None)
    with waiting_for_snowflake(shared) as check:
        sent_s = time.monotonic()
        os.killpg(check.pid, signal.SIGINT)  # as a terminal does
        _, stderr = check.communicate(timeout=PATIENCE_S)
    shared.snow.clear_faults()
    assert (check.returncode, stderr) == (75, b"\n"), "behind the ^C that a terminal shows"
    assert time.monotonic() - sent_s < BUSY_S


def test_services_that_accept_a_connection_and_never_answer_are_named_in_time(shared: Pipeline) -> None:
    shared.snow.hang("login", times=None)
    shared.snow.hang("hostname", times=None)
    found = unanswered(shared, 69)
    shared.snow.clear_faults()
    assert "no answer for 15 s" in found["snowflake login"]["detail"]
    assert "no answer for 15 s" in found["pipe"]["detail"]
    assert found["control store"]["verdict"] == "ok"
