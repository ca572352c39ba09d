"""What a row costs in one process with nothing beside it: from an encoded event to its line of JSON."""

import time
from statistics import median_low

from scripts.bench.lab.budget import Budget
from scripts.bench.parts.throughput import PROPERTIES, Say
from scripts.bench.results import Row
from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.entity.partition import Partition
from worker.rows.envelope import Envelope

MESSAGES, PASSES = 2_000, 5
COMPACT = b'{"n":1,"pad":"%b"}' % (b"x" * 233)
SPACED = b'{ "n": 1, "x": 0.25, "at": "2026-01-31T00:00:00Z", "pad": "%b" }' % (b"x" * 186)


def rows(budget: Budget, say: Say) -> list[Row]:
    """Events of 250 B with this and that about them."""
    bodies = {
        "one flat JSON object, written without spaces": event.data(COMPACT),
        "one with spaces, a fraction and a time": event.data(SPACED),
        "with a partition key": event.data(COMPACT, partition_key="EWR"),
        "with a partition key and 3 properties": event.data(COMPACT, partition_key="EWR", properties=PROPERTIES),
    }
    found = [Row(name=name, cpu_us=median_low([_pass(one) for _ in budget.rounds()])) for name, one in bodies.items()]
    say(", ".join(f"{row.cpu_us:.1f} µs" for row in found))
    return found


def _pass(one: event.Published) -> float:
    partition = Partition("0")
    for _ in range(MESSAGES):
        partition.append(one, time.time_ns() // 1_000_000)
    metrics = event.runtime_metrics(MESSAGES, "1", 0, 0)
    messages = [metrics + message for message in partition.read(0, MESSAGES)]
    event_of = Envelope("0", "keep").event_of
    began_s = time.process_time()
    for _ in range(PASSES):
        for message in messages:
            event_of(message)
    return 1e6 * (time.process_time() - began_s) / (PASSES * MESSAGES)
