"""The packages of the extra `otel`, which only those who push metrics need."""

from typing import TYPE_CHECKING

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from supervisor.status.otlp.push import Push


def load() -> "type[Push]":
    """What pushes metrics. Raises ConfigurationError when its packages are not installed."""
    try:
        from supervisor.status.otlp.push import Push
    except ImportError as error:
        raise ConfigurationError(
            "Metrics are to be pushed (OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_METRICS_EXPORTER says so) and cannot be",
            str(error),
            "Install evsup with its extra `otel`: pip install '.[otel]' in its source directory. Or set"
            " OTEL_METRICS_EXPORTER=none.",
        ) from error
    return Push
