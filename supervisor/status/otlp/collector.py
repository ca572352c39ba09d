"""Where metrics are pushed to: what the standard variables of OpenTelemetry say, and what is wrong with them.

evsup has no setting of its own for it. The variables say everything, and an operator of a cluster sets them for all its
pods at once. Whatever is not looked at here (headers, certificates, compression) the SDK reads itself.
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from shared.config.faults import Fault, report
from shared.config.formats.files import certificate_problem, text_of
from shared.log.secret import mask

OPTION_PREFIX = "OTEL_EXPORTER_OTLP_"
OFF, EXPORTERS, ATTRIBUTES = "OTEL_SDK_DISABLED", "OTEL_METRICS_EXPORTER", "OTEL_RESOURCE_ATTRIBUTES"
# Of the specification, and what the SDK for Python calls OTLP by HTTP.
OTLP, OTHER_EXPORTERS = frozenset({"otlp", "otlp_proto_http"}), frozenset({"none", "prometheus", "console", "logging"})
INTERVAL, TEMPORALITY = "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
DEFAULT_ENDPOINT, PATH, GRPC_PORT = "http://localhost:4318", "v1/metrics", 4317
PROTOCOL = "http/protobuf"
DEFAULT_INTERVAL_MS, DEFAULT_TIMEOUT_S = 60_000.0, 10.0
# The SDK for Python takes the timeout in seconds, the specification in milliseconds: 10000 must not be three hours.
MOST_TIMEOUT_S = 30.0
MOST_INTERVAL_S = 86_400.0  # a lock of Python cannot wait for 300 years
LEAST_INTERVAL_S = 1.0  # as often as the status is made
MOST_KEY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Collector:
    """What metrics are pushed to, how often, and how long one push may take."""

    endpoint: str
    """With the path of metrics. May hold a password."""
    interval_s: float
    timeout_s: float


def collector_of(environ: Mapping[str, str]) -> Collector | None:
    """The collector that the variables name; None: nothing is to be pushed. Raises ConfigurationError with all faults.

    `OTEL_SDK_DISABLED=true` and `OTEL_METRICS_EXPORTER=none` are for a process in a cluster where all others push.
    """
    if not _is_on(environ):
        return None
    if faults := [*_faults(environ)]:
        raise report(faults, {}, {})
    timeout_s = float(_option(environ, "TIMEOUT")[1] or DEFAULT_TIMEOUT_S)
    interval_s = max(LEAST_INTERVAL_S, min(MOST_INTERVAL_S, _interval_ms(environ) / 1000))
    return Collector(_endpoint(environ), interval_s, min(MOST_TIMEOUT_S, timeout_s))


def cautions(environ: Mapping[str, str]) -> Iterator[str]:
    """What is probably not meant, one sentence each. None of it ends a start: the variables are those of a cluster."""
    if unknown := _exporters(environ) - OTLP - OTHER_EXPORTERS:
        named = mask(", ".join(sorted(unknown)))
        yield f"{EXPORTERS}: '{named}' is none of otlp, prometheus, console and none, and is ignored"
    if (text := environ.get(OFF, "").strip()) and text.lower() not in ("true", "false"):
        yield f"{OFF}: '{mask(text)}' is neither true nor false, and counts as false"
    if _is_on(environ):
        yield from _cautions_of_push(environ)


def _cautions_of_push(environ: Mapping[str, str]) -> Iterator[str]:
    if _interval_ms(environ) < LEAST_INTERVAL_S * 1000:
        yield (
            f"{INTERVAL}={environ[INTERVAL].strip()} is in milliseconds, and evsup pushes once a second at most;"
            " once a minute is 60000"
        )
    if not all(_is_pair(pair) for pair in environ.get(ATTRIBUTES, "").split(",") if pair.strip()):
        yield f"{ATTRIBUTES} has a part between commas that is no NAME=VALUE, and it is left out"
    name, _ = _option(environ, "ENDPOINT")
    url = urlsplit(_endpoint(environ))
    if url.port == GRPC_PORT:
        yield f"{name} has port {GRPC_PORT}, where collectors expect gRPC: {PROTOCOL} has port 4318"
    if url.path.count(PATH) > 1:
        yield f"{name}: /{PATH} is added to it; leave that out, or set {OPTION_PREFIX}METRICS_ENDPOINT"


def _interval_ms(environ: Mapping[str, str]) -> float:
    return float(environ.get(INTERVAL, "").strip() or DEFAULT_INTERVAL_MS)


def _is_on(environ: Mapping[str, str]) -> bool:
    """An exporter that nobody knows is ignored, as the specification wants it."""
    exporters = _exporters(environ) & (OTLP | OTHER_EXPORTERS)
    is_named = bool(_option(environ, "ENDPOINT")[1]) and not exporters
    return environ.get(OFF, "").strip().lower() != "true" and (is_named or not exporters.isdisjoint(OTLP))


def _exporters(environ: Mapping[str, str]) -> set[str]:
    return {name.strip().lower() for name in environ.get(EXPORTERS, "").split(",")} - {""}


def _option(environ: Mapping[str, str], option: str) -> tuple[str, str]:
    """Variable and text of an option of the exporter: the one for metrics goes before the one for all signals."""
    names = (f"{OPTION_PREFIX}METRICS_{option}", f"{OPTION_PREFIX}{option}")
    name = next((name for name in names if environ.get(name)), names[-1])
    return name, environ.get(name, "").strip()


def _endpoint(environ: Mapping[str, str]) -> str:
    """The path is added to the endpoint of all signals, and to no other."""
    name, text = _option(environ, "ENDPOINT")
    is_whole = name == f"{OPTION_PREFIX}METRICS_ENDPOINT"
    return text if is_whole else f"{(text or DEFAULT_ENDPOINT).removesuffix('/')}/{PATH}"


def _faults(environ: Mapping[str, str]) -> Iterator[Fault]:
    name, text = _option(environ, "ENDPOINT")
    if not _is_url(text or DEFAULT_ENDPOINT):
        yield Fault(name, f"'{mask(text)}' is no address that begins with http:// or https://", "http://localhost:4318")
    name, text = _option(environ, "PROTOCOL")
    if text not in ("", PROTOCOL):
        reason = f"is '{mask(text)}'; evsup pushes by {PROTOCOL} only, to which collectors listen on port 4318"
        yield Fault(name, reason, PROTOCOL)
    if (text := environ.get(TEMPORALITY, "").strip()) and text.lower() != "cumulative":
        reason = (
            f"is '{mask(text)}'; evsup pushes cumulative numbers. A collector can convert them (cumulativetodelta)."
        )
        yield Fault(TEMPORALITY, reason, "cumulative")
    interval = INTERVAL, environ.get(INTERVAL, "").strip(), "60000"
    for name, text, example in ((*_option(environ, "TIMEOUT"), "10"), interval):
        if text and not _is_positive(text):
            yield Fault(name, f"'{mask(text)}' is no number above 0", example)
    name, text = _option(environ, "COMPRESSION")
    if text not in ("", "none", "gzip", "deflate"):
        yield Fault(name, f"'{mask(text)}' is neither none, gzip nor deflate", "gzip")
    name, text = _option(environ, "HEADERS")
    if not all(_is_header(pair) for pair in text.split(",") if pair.strip()):
        yield Fault(name, "has a part between commas that is no NAME=VALUE; a comma in a value is %2C", "api-key=…")
    yield from _file_faults(environ)


def _file_faults(environ: Mapping[str, str]) -> Iterator[Fault]:
    """The SDK would open them at its first push only, and then at every push again."""
    for option in ("CERTIFICATE", "CLIENT_CERTIFICATE"):
        name, path = _option(environ, option)
        if path and (reason := certificate_problem(path)):
            yield Fault(name, reason, "/etc/ssl/collector-ca.pem")
    name, path = _option(environ, "CLIENT_KEY")
    try:
        if path:
            text_of(path, MOST_KEY_BYTES)
    except ValueError as error:
        yield Fault(name, str(error), "/etc/evsup/collector-key.pem")


def _is_header(pair: str) -> bool:
    return _is_pair(pair) and unquote(pair.strip()).isascii() and unquote(pair.strip()).isprintable()


def _is_pair(pair: str) -> bool:
    name, equals, _ = pair.partition("=")
    return bool(name.strip() and equals)


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        return False


def _is_positive(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False
