"""The metrics of how long rows took: histograms of all workers of a supervisor together."""

from collections.abc import Iterator

from supervisor.status.latency import STAGES, total
from supervisor.status.metrics.metric import Metric, Sample
from supervisor.status.model import TreeStatus

# By field of `Latencies`: the metric's name and meaning.
NAMES: dict[str, tuple[str, str]] = {
    "enqueued_received": (
        "evsup_enqueued_to_received_seconds",
        "Rows by the time from the hub's enqueued time to the receiver, which gives a batch at a time.",
    ),
    "received_appended": (
        "evsup_received_to_appended_seconds",
        "Rows by the time from the receiver to the append to the Snowpipe Streaming channel.",
    ),
    "appended_durable": (
        "evsup_appended_to_durable_seconds",
        "Rows by the time from the append until Snowflake was seen to have committed them.",
    ),
    "checkpoint_written": (
        "evsup_checkpoint_write_seconds",
        "Writes of checkpoints by the time that the control store took.",
    ),
    "enqueued_durable": (
        "evsup_enqueued_to_durable_seconds",
        "Rows by the time from the hub's enqueued time until Snowflake was seen to have committed them.",
    ),
}


def _latency(stage: str) -> Metric:
    """The histogram of all workers of this supervisor together: one for each partition would be 70 samples each."""

    def read(tree: TreeStatus, _: float) -> Iterator[Sample]:
        yield (), getattr(total([tree.former_latencies, *(row.latencies for row in tree.partitions)]), stage)

    name, meaning = NAMES[stage]
    return Metric(name, "histogram", "seconds", (), meaning, read)


LATENCIES = tuple(map(_latency, STAGES))
