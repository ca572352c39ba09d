"""Metrics reach a collector over real sockets, and whatever a collector does, a stop takes no longer than it may."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from scripts.harness.waiting import BUSY_S, eventually
from scripts.localcloud.signing.certificate import make_certificate
from shared.log.secret import remember_all
from supervisor.status.otlp.collector import collector_of
from supervisor.status.otlp.push import CLOSE_S, Push
from tests.harness.services.collector import Collector
from tests.unit.captured_log import capture_logs
from tests.unit.supervisor.status.statuses import a_partition, a_tree

OFTEN_MS = "50"
SELDOM_MS = "3600000"


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        yield made


def pushing(collector: Collector, every_ms: str = OFTEN_MS, **options: str) -> Push:
    """The metrics of a tree that runs. `options` are those of the exporter."""
    named = {f"OTEL_EXPORTER_OTLP_{name.upper()}": text for name, text in options.items()}
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_METRIC_EXPORT_INTERVAL": every_ms} | named
    found = collector_of(environ)
    assert found
    with pytest.MonkeyPatch.context() as patch:  # the SDK reads the rest itself, when it is made
        for name, text in named.items():
            patch.setenv(name, text)
        return Push(found, lambda: a_tree(a_partition(lag=25)))


def events(log: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in log]


def await_tries(collector: Collector, more: int) -> None:
    """Wait until it was asked so many times more."""
    wanted = collector.tries + more
    eventually(lambda: collector.tries >= wanted, f"{more} more pushes", every_s=0.01)


def test_metrics_are_pushed_again_and_again_with_the_headers_of_the_environment(
    collector: Collector, log: list[dict[str, Any]]
) -> None:
    with closing(pushing(collector, headers="api-key=0123456789abcdef", compression="gzip")):
        eventually(lambda: len(collector.requests) >= 3, "three pushes", every_s=0.01)
    assert collector.total("evsup_lag_events") == 25
    assert collector.headers["api-key"] == "0123456789abcdef"
    assert collector.headers["Content-Encoding"] == "gzip"
    assert log == []


def test_the_last_state_is_pushed_at_the_end(collector: Collector) -> None:
    push = pushing(collector, SELDOM_MS)
    assert not collector.requests
    push.close()
    assert collector.total("evsup_lag_events") == 25


@pytest.mark.parametrize("answer", [400, 401, 404, 429, 500, 503])
def test_a_collector_that_refuses_is_told_of_once_and_its_return_once(
    collector: Collector, log: list[dict[str, Any]], answer: int
) -> None:
    collector.answer = answer
    with closing(pushing(collector, timeout="0.3")):
        await_tries(collector, 4)
        assert events(log) == ["metrics_not_pushed"]
        assert f"the collector answers {answer}" in log[0]["reason"]
        collector.answer = 200
        eventually(lambda: collector.requests, "it takes metrics again", every_s=0.01)
        eventually(lambda: len(log) > 1, "and that is told", every_s=0.01)
    assert events(log) == ["metrics_not_pushed", "metrics_pushed_again"]


def test_a_collector_that_goes_away_and_comes_back_gets_the_metrics_of_then(log: list[dict[str, Any]]) -> None:
    collector = Collector()
    with closing(pushing(collector, timeout="0.3")):
        eventually(lambda: log, "nobody listens", every_s=0.01)
        assert "refused" in log[0]["reason"]
        with collector:
            eventually(lambda: collector.requests, "it takes metrics", every_s=0.01)
            eventually(lambda: len(log) > 1, "and that is told", every_s=0.01)
    assert events(log)[:2] == ["metrics_not_pushed", "metrics_pushed_again"]


def test_a_redirection_is_a_failure_and_is_not_followed(collector: Collector, log: list[dict[str, Any]]) -> None:
    with Collector() as other:
        collector.answer, collector.location = 307, f"{other.address}/v1/metrics"
        with closing(pushing(collector, headers="api-key=0123456789abcdef")):
            await_tries(collector, 2)
        assert (events(log), other.tries) == (["metrics_not_pushed"], 0)


def test_a_collector_that_does_not_answer_delays_the_end_by_a_bounded_time(
    collector: Collector, log: list[dict[str, Any]]
) -> None:
    collector.may_answer.clear()
    push = pushing(collector)
    await_tries(collector, 1)
    began_s = time.monotonic()
    push.close()
    assert time.monotonic() - began_s < CLOSE_S + BUSY_S
    collector.may_answer.set()
    push.close()  # so that its thread is gone before the next test


def test_one_that_was_away_is_not_waited_for(log: list[dict[str, Any]]) -> None:
    push = pushing(Collector(), timeout="0.1")
    eventually(lambda: log, "nobody listens", every_s=0.01)
    push.close()
    assert events(log) == ["metrics_not_pushed"]


def test_the_certificate_is_verified_and_one_of_the_users_own_is_trusted_whatever_snowflakes_is(
    tmp_path: Path, log: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path, "127.0.0.1")
    (tmp_path / "other").mkdir()
    other = make_certificate(tmp_path / "other", "127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.ca_file))
    with Collector(certificate.server_context()) as collector:
        with closing(pushing(collector, timeout="0.3")):
            eventually(lambda: log, "the certificate is refused", every_s=0.01)
        assert "certificate verify failed" in log[0]["reason"]
        assert not collector.requests
        with closing(pushing(collector, certificate=str(certificate.ca_file))):
            eventually(lambda: collector.requests, "it takes metrics", every_s=0.01)
    assert events(log) == ["metrics_not_pushed"]


def test_what_a_collector_says_shows_no_header(collector: Collector, log: list[dict[str, Any]]) -> None:
    headers = "authorization=Basic%20canary%2Fone"
    remember_all({"OTEL_EXPORTER_OTLP_HEADERS": headers})
    collector.answer, collector.location = 302, "https://elsewhere/?tried=canary/one"
    with closing(pushing(collector, headers=headers)):
        eventually(lambda: log, "it is refused", every_s=0.01)
    assert collector.headers["authorization"] == "Basic canary/one"
    assert "https://elsewhere/?tried=***" in log[0]["reason"]


def test_what_a_collector_takes_and_rejects_is_said_and_a_page_of_a_proxy_is_not(
    collector: Collector, log: list[dict[str, Any]]
) -> None:
    collector.page = b"<html>welcome</html>"
    with closing(pushing(collector)):
        await_tries(collector, 2)
        assert not log
        answer = ExportMetricsServiceResponse()
        answer.partial_success.rejected_data_points, answer.partial_success.error_message = 3, "too many series"
        collector.page = answer.SerializeToString()
        eventually(lambda: log, "points are rejected", every_s=0.01)
        assert log[0]["reason"] == "the collector rejects 3 data points: too many series"
        collector.page = b""
        eventually(lambda: len(log) == 2, "all are taken again", every_s=0.01)
    assert events(log) == ["metrics_not_pushed", "metrics_pushed_again"]


def test_an_empty_variable_is_unset_for_every_version_of_the_sdk(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.35 verifies no certificate where its variable is empty, and fails with an empty compression."""
    names = [f"OTEL_EXPORTER_OTLP_{part}" for part in ("CERTIFICATE", "METRICS_CERTIFICATE", "COMPRESSION", "HEADERS")]
    for name in names:
        monkeypatch.setenv(name, " ")
    with closing(pushing(collector)):
        assert not os.environ.keys() & set(names)
