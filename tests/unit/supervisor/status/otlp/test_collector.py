"""The standard variables of OpenTelemetry switch the push on and off, and every fault of theirs is named."""

from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from supervisor.status.otlp.collector import Collector, cautions, collector_of

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
ON = {ENDPOINT: "http://collector:4318"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: "  "},
        {"OTEL_SERVICE_NAME": "evsup"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"},
        ON | {"OTEL_SDK_DISABLED": "TRUE"},
        ON | {"OTEL_METRICS_EXPORTER": "none"},
        ON | {"OTEL_METRICS_EXPORTER": "prometheus"},
        # Nobody is told of a fault in what is not used.
        {"OTEL_METRICS_EXPORTER": "none", ENDPOINT: "collector", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_nothing_is_pushed_unless_a_collector_is_named(environ: dict[str, str]) -> None:
    assert collector_of(environ) is None


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        (ON, "http://collector:4318/v1/metrics"),
        ({ENDPOINT: "https://collector/otlp/"}, "https://collector/otlp/v1/metrics"),
        ({ENDPOINT: "http://[::1]:4318"}, "http://[::1]:4318/v1/metrics"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://metrics/push"}, "https://metrics/push"),
        (ON | {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://metrics/push"}, "https://metrics/push"),
        (ON | {"OTEL_METRICS_EXPORTER": "prometheus, OTLP"}, "http://collector:4318/v1/metrics"),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, "http://localhost:4318/v1/metrics"),
        (ON | {"OTEL_METRICS_EXPORTER": "otlp_proto_http"}, "http://collector:4318/v1/metrics"),
        (ON | {"OTEL_METRICS_EXPORTER": "oltp"}, "http://collector:4318/v1/metrics"),
        (ON | {"OTEL_SDK_DISABLED": "false"}, "http://collector:4318/v1/metrics"),
    ],
)
def test_the_endpoint_is_the_one_of_the_specification(environ: dict[str, str], endpoint: str) -> None:
    collector = collector_of(environ)
    assert collector
    assert collector.endpoint == endpoint


@pytest.mark.parametrize(
    ("variables", "interval_s", "timeout_s"),
    [
        ({}, 60, 10),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "5000", "OTEL_EXPORTER_OTLP_TIMEOUT": "3"}, 5, 3),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "3", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "4.5"}, 60, 4.5),
        # In milliseconds, as the specification has it: no push may take hours.
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "10000"}, 60, 30),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "1e300"}, 86_400, 10),
        # In seconds, by mistake.
        ({"OTEL_METRIC_EXPORT_INTERVAL": "60"}, 1, 10),
        ({"OTEL_METRIC_EXPORT_INTERVAL": " "}, 60, 10),
    ],
)
def test_a_push_is_bounded_in_time(variables: dict[str, str], interval_s: float, timeout_s: float) -> None:
    assert collector_of(ON | variables) == Collector("http://collector:4318/v1/metrics", interval_s, timeout_s)


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        (ENDPOINT, "collector:4318", "begins with http:// or https://"),
        (ENDPOINT, "grpc://collector:4317", "begins with http:// or https://"),
        (ENDPOINT, "http://", "begins with http:// or https://"),
        (ENDPOINT, "http://collector:port", "begins with http:// or https://"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "metrics", "begins with http:// or https://"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf only"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json", "http/protobuf only"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", "cumulative"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "lowmemory", "cumulative"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "no number above 0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m", "no number above 0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan", "no number above 0"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "-1", "no number above 0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "neither none, gzip nor deflate"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b", "NAME=VALUE"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,=b", "NAME=VALUE"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=1%0Ab", "NAME=VALUE"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem", "there is no such file"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", pytest.__file__, "is not PEM"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere.pem", "there is no such file"),
    ],
)
def test_each_fault_is_named(variable: str, text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        collector_of(ON | {variable: text})
    assert variable in str(caught.value)
    assert reason in " ".join(str(caught.value).split())


def test_all_faults_are_reported_together_and_show_no_credential(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        collector_of(
            {
                ENDPOINT: "ftp://user:pa55word@collector",
                "OTEL_EXPORTER_OTLP_HEADERS": "api-key: 0123456789abcdef",
                "OTEL_METRIC_EXPORT_INTERVAL": "soon",
            }
        )
    text = str(caught.value)
    assert "3 faults" in text
    assert "pa55word" not in text
    assert "0123456789abcdef" not in text


def test_a_certificate_and_a_key_that_are_there_are_no_fault(tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\n…\n")
    files = {f"OTEL_EXPORTER_OTLP_{name}": str(pem) for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")}
    assert collector_of(ON | files)


@pytest.mark.parametrize(
    ("variables", "warning"),
    [
        (
            {"OTEL_METRICS_EXPORTER": "oltp"},
            "OTEL_METRICS_EXPORTER: 'oltp' is none of otlp, prometheus, console and none",
        ),
        ({"OTEL_METRICS_EXPORTER": "none,datadog"}, "OTEL_METRICS_EXPORTER: 'datadog' is none of otlp"),
        ({"OTEL_SDK_DISABLED": "yes"}, "OTEL_SDK_DISABLED: 'yes' is neither true nor false, and counts as false"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team=data,env:prod"}, "OTEL_RESOURCE_ATTRIBUTES has a part between commas"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "=data"}, "OTEL_RESOURCE_ATTRIBUTES has a part between commas"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "60"}, "OTEL_METRIC_EXPORT_INTERVAL=60 is in milliseconds"),
        ({ENDPOINT: "http://collector:4317"}, f"{ENDPOINT} has port 4317, where collectors expect gRPC"),
        ({ENDPOINT: "http://collector:4318/v1/metrics/"}, f"{ENDPOINT}: /v1/metrics is added to it"),
    ],
)
def test_what_is_probably_not_meant_is_a_warning_and_ends_no_start(variables: dict[str, str], warning: str) -> None:
    (said,) = cautions(ON | variables)
    assert said.startswith(warning)
    collector_of(ON | variables)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_METRICS_EXPORTER": "prometheus,console"},
        {"OTEL_METRIC_EXPORT_INTERVAL": "60", "OTEL_RESOURCE_ATTRIBUTES": "env:prod"},
        ON | {"OTEL_SDK_DISABLED": "True", "OTEL_METRIC_EXPORT_INTERVAL": "60"},
        ON | {"OTEL_RESOURCE_ATTRIBUTES": "team=data, env=prod%20eu,", "OTEL_METRIC_EXPORT_INTERVAL": "1000"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4318/v1/metrics"},
    ],
)
def test_what_is_meant_or_not_used_is_no_warning(environ: dict[str, str]) -> None:
    assert not list(cautions(environ))
