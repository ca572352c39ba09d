"""Load that the streaming SDK, on its own defaults, sends by way of the stage."""

from tests.harness.pipeline import Pipeline

P = "0"
BODY_BYTES = 1_000
BURST = 4_000  # events; twice what sends the SDK from rows to files


def burst(pipeline: Pipeline, events: int = BURST, body_bytes: int = BODY_BYTES) -> None:
    """Publish that many events at once."""
    last = pipeline.hub.facts().partitions[P].last_sequence_number
    pipeline.hub.seed(P, events, body_bytes=body_bytes, first_n=last + 1)


def uploaded(pipeline: Pipeline) -> int:
    """Files that the stage has taken so far."""
    return pipeline.snow.answers().get("upload 200", 0)
