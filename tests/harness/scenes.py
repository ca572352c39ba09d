"""Statuses of trees as an operator meets them, with numbers as a hub has them that is some years old."""

from collections.abc import Callable
from typing import Any

from supervisor.status.model import PartitionStatus, TreeStatus
from tests.unit.supervisor.status.statuses import a_partition, a_tree

LARGE = 1_234_567_890_123
HOSTILE = "<script>document.title='struck'</script><img src=x onerror=\"document.title='struck'\">"


def partition(number: int, **changes: Any) -> PartitionStatus:
    """A worker at work."""
    numbers = {"received": 40, "appended": 30, "durable": 20, "checkpointed": 0}
    facts = {
        "pid": 101_000 + number,
        "epoch": 37,
        "lag": 12 + number * 7 % 29,
        "lag_s": 1.5 + number % 3,
        "row_age_s": 4.0 + number % 5,
        "time_to_loss_s": None,
        "rows_per_s": 2450.5,
        "rows_inflight": 1000,
        **{mark: LARGE + number * 1000 + at for mark, at in numbers.items()},
    }
    return a_partition(str(number), **{**facts, **changes})


def tree(*partitions: PartitionStatus, **changes: Any) -> TreeStatus:
    """A tree that runs, with these workers."""
    facts = {
        "host": "ip-10-0-12-7",
        "pid": 100_900,
        "uptime_s": 90_000.0,
        "source": "contoso-flights.servicebus.windows.net/flights",
        "consumer_group": "evsup",
        "target": "myorg-myaccount/EVENTS.PUBLIC.FLIGHTS through FLIGHTS-STREAMING",
        "store": "postgres",
        "partitions_total": len(partitions),
    }
    return a_tree(*partitions, **{**facts, **changes})


def healthy(count: int = 32) -> TreeStatus:
    """Nothing is wrong."""
    return tree(*map(partition, range(count)))


def lagging(count: int = 32) -> TreeStatus:
    """Snowflake commits nothing for a while on one partition, and another is an hour behind."""
    odd = {
        1: partition(1, commit_wait_s=48.0, commit_age_s=48.0, row_age_s=53.0, lag=123_456, lag_s=49.0),
        3: partition(3, lag=9_876_543, lag_s=3_720.0, row_age_s=3_725.0, time_to_loss_s=7200.0),
    }
    return tree(*(odd.get(number) or partition(number) for number in range(count)))


def failing(count: int = 32) -> TreeStatus:
    """A row was refused, and the tree stops."""
    cause = (
        f"Partition 3: Snowflake rejected 2 rows after event {LARGE}: 400 invalid value for column DELAY. Look at the"
        " rows, then run `evsup checkpoints set --partition 3 --rejected-rows --yes`."
    )
    rows = (partition(number, state="failed" if number == 3 else "draining") for number in range(count))
    return tree(*rows, state="draining", healthy=False, cause=cause, exit_code=65)


def draining(count: int = 32) -> TreeStatus:
    """Somebody stopped it, and the last rows wait for their commit."""
    return tree(*(partition(number, state="draining") for number in range(count)), state="draining", healthy=False)


def hostile() -> TreeStatus:
    """Every text that others have a say in tries to be HTML."""
    row = a_partition(HOSTILE, state="opening", waits_for=HOSTILE)
    named = dict.fromkeys(
        ("host", "source", "consumer_group", "target", "store", "hub_trouble", "store_trouble", "table_unseen"), HOSTILE
    )
    return tree(row, **named, cause=HOSTILE, healthy=False, unowned=(HOSTILE,))


SCENES: dict[str, Callable[[int], TreeStatus]] = {
    "healthy": healthy,
    "lagging": lagging,
    "failing": failing,
    "draining": draining,
}
