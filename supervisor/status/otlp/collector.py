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

EXPORTER = "OTEL_EXPORTER_OTLP_"
OFF, EXPORTERS = "OTEL_SDK_DISABLED", "OTEL_METRICS_EXPORTER"
INTERVAL, TEMPORALITY = "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
DEFAULT_ENDPOINT, PATH = "http://localhost:4318", "v1/metrics"
PROTOCOL = "http/protobuf"
DEFAULT_INTERVAL_MS, DEFAULT_TIMEOUT_S = 60_000.0, 10.0
# The SDK for Python takes the timeout in seconds, the specification in milliseconds: 10000 must not be three hours.
MOST_TIMEOUT_S = 30.0
MOST_INTERVAL_S = 86_400.0  # a lock of Python cannot wait for 300 years
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
    timeout_s = float(_exporter(environ, "TIMEOUT")[1] or DEFAULT_TIMEOUT_S)
    interval_ms = float(environ.get(INTERVAL) or DEFAULT_INTERVAL_MS)
    return Collector(_endpoint(environ), min(MOST_INTERVAL_S, interval_ms / 1000), min(MOST_TIMEOUT_S, timeout_s))


def _is_on(environ: Mapping[str, str]) -> bool:
    exporters = {name.strip().lower() for name in environ.get(EXPORTERS, "").split(",")} - {""}
    is_named = bool(_exporter(environ, "ENDPOINT")[1]) and (not exporters or "otlp" in exporters)
    return environ.get(OFF, "").strip().lower() != "true" and (is_named or "otlp" in exporters)


def _exporter(environ: Mapping[str, str], option: str) -> tuple[str, str]:
    """A variable of the exporter and its text: the one for metrics goes before the one for all signals."""
    names = (f"{EXPORTER}METRICS_{option}", f"{EXPORTER}{option}")
    name = next((name for name in names if environ.get(name)), names[-1])
    return name, environ.get(name, "").strip()


def _endpoint(environ: Mapping[str, str]) -> str:
    """The path is added to the endpoint of all signals, and to no other."""
    name, text = _exporter(environ, "ENDPOINT")
    is_whole = name == f"{EXPORTER}METRICS_ENDPOINT"
    return text if is_whole else f"{(text or DEFAULT_ENDPOINT).removesuffix('/')}/{PATH}"


def _faults(environ: Mapping[str, str]) -> Iterator[Fault]:
    name, text = _exporter(environ, "ENDPOINT")
    if not _is_url(text or DEFAULT_ENDPOINT):
        yield Fault(name, f"'{mask(text)}' is no address that begins with http:// or https://", "http://localhost:4318")
    name, text = _exporter(environ, "PROTOCOL")
    if text not in ("", PROTOCOL):
        reason = f"is '{mask(text)}'; evsup pushes by {PROTOCOL} only, to which collectors listen on port 4318"
        yield Fault(name, reason, PROTOCOL)
    if (text := environ.get(TEMPORALITY, "").strip()) and text.lower() != "cumulative":
        reason = (
            f"is '{mask(text)}'; evsup pushes cumulative numbers. A collector can convert them (cumulativetodelta)."
        )
        yield Fault(TEMPORALITY, reason, "cumulative")
    for name, text, example in ((*_exporter(environ, "TIMEOUT"), "10"), (INTERVAL, environ.get(INTERVAL, ""), "60000")):
        if text and not _is_positive(text):
            yield Fault(name, f"'{mask(text)}' is no number above 0", example)
    name, text = _exporter(environ, "COMPRESSION")
    if text not in ("", "none", "gzip", "deflate"):
        yield Fault(name, f"'{mask(text)}' is neither none, gzip nor deflate", "gzip")
    name, text = _exporter(environ, "HEADERS")
    if not all(_is_header(pair) for pair in text.split(",") if pair.strip()):
        yield Fault(name, "has a part between commas that is no NAME=VALUE; a comma in a value is %2C", "api-key=…")
    yield from _file_faults(environ)


def _file_faults(environ: Mapping[str, str]) -> Iterator[Fault]:
    """The SDK would open them at its first push only, and then at every push again."""
    for option in ("CERTIFICATE", "CLIENT_CERTIFICATE"):
        name, path = _exporter(environ, option)
        if path and (reason := certificate_problem(path)):
            yield Fault(name, reason, "/etc/ssl/collector-ca.pem")
    name, path = _exporter(environ, "CLIENT_KEY")
    try:
        if path:
            text_of(path, MOST_KEY_BYTES)
    except ValueError as error:
        yield Fault(name, str(error), "/etc/evsup/collector-key.pem")


def _is_header(pair: str) -> bool:
    name, equals, value = pair.strip().partition("=")
    return bool(name and equals) and unquote(name + value).isascii() and unquote(name + value).isprintable()


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
