"""A real tree pushes its metrics to a collector, and neither waits for it nor shows it what it must not see."""

import os
import re
from pathlib import Path
from typing import Any

from scripts.harness.waiting import eventually
from tests.harness.pipeline import Pipeline
from tests.harness.services.collector import Collector, points

KEY = "0123456789abcdef-collector"


def variables(collector: Collector, **options: str) -> dict[str, Any]:
    """A push each second, as often as there is one, with a credential."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={KEY}",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "EVSUP_LOG_LEVEL": "debug",
    } | options


def test_a_collector_sees_the_rows_of_a_tree_also_after_it_was_away_and_its_last_state(pipeline: Pipeline) -> None:
    collector = Collector()
    evsup = pipeline.start(**variables(collector, OTEL_EXPORTER_OTLP_TIMEOUT="1"))
    evsup.await_running(1)
    pipeline.publish(100)
    pipeline.await_all()
    eventually(lambda: "metrics_not_pushed" in evsup.stderr, "nobody listens")
    with collector:
        eventually(lambda: collector.total("evsup_checkpointed_sequence_number") == 99, "the checkpoint is pushed")
        assert collector.total("evsup_appended_rows_total") == 100
        assert collector.total("evsup_partitions_owned") == 1
        assert collector.headers["api-key"] == KEY
        assert collector.resource["service.name"] == "evsup"
        pipeline.snow.fail("append", 429, times=2)
        pipeline.publish(50)
        eventually(lambda: collector.total("evsup_snowflake_throttled_total") == 2, "two requests were throttled")
        assert evsup.stop() == 0
        # Each row, up to the last commit: what the workers counted that have drained.
        (durable,) = points(collector.metrics()["evsup_appended_to_durable_seconds"])
        assert durable.count == pipeline.rows()
        assert collector.total("evsup_partitions_owned") == 0
    told = re.findall("metrics_not_pushed|metrics_pushed_again", evsup.stderr)
    assert told == ["metrics_not_pushed", "metrics_pushed_again"] * (len(told) // 2), "a push may take over a second"
    assert "OTEL_METRIC_EXPORT_INTERVAL=500 is in milliseconds" in evsup.stderr
    assert KEY not in evsup.stderr


def test_a_collector_that_never_answers_holds_up_no_event_and_no_stop(pipeline: Pipeline) -> None:
    with Collector() as collector:
        collector.may_answer.clear()
        evsup = pipeline.start(**variables(collector))
        evsup.await_running(1)
        eventually(lambda: collector.tries, "a push waits")
        pipeline.publish(100)
        pipeline.await_all()
        assert pipeline.run("status").returncode == 0
        assert evsup.stop() == 0


def test_a_push_without_its_packages_or_with_a_fault_is_refused_before_anything_is_claimed(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "opentelemetry.py").touch()  # in front of the packages, which are here
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    missing = pipeline.run("start", PYTHONPATH=path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")
    assert missing.returncode == 78
    assert "pip install '.[otel]'" in missing.stderr.splitlines()[-1]
    checked = pipeline.run("check", PYTHONPATH=path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")
    assert checked.returncode == 78
    assert "pip install '.[otel]'" in checked.stdout
    malformed = pipeline.run("start", OTEL_EXPORTER_OTLP_ENDPOINT="127.0.0.1:4318")
    assert malformed.returncode == 78
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in malformed.stderr
    doubtful = pipeline.run("check", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317", OTEL_METRICS_EXPORTER="oltp")
    assert doubtful.returncode == 0
    assert "'oltp' is none of" in doubtful.stdout
    with pipeline.store() as store:
        assert not list(store.ownerships())
