"""`evsup check` and `verify` of 32 partitions: a few connections, no more questions than Event Hubs answers, and one
partition that does not answer holds up no other.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness.pipeline import Pipeline, pipeline_of

PARTITIONS = 32
MOST_PER_S = 50  # https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
SILENT = "7"


@pytest.fixture(scope="module")
def wide() -> Iterator[Pipeline]:
    with pipeline_of(PARTITIONS) as made:
        made.publish(3)
        yield made


def most_in_a_second(times_s: Sequence[float]) -> int:
    """How many of these there were in the busiest second."""
    return max(sum(begin_s <= each < begin_s + 1 for each in times_s) for begin_s in times_s)


def test_the_hub_is_asked_once_for_each_partition_and_never_faster_than_it_answers(wide: Pipeline) -> None:
    for command, others in (("check", 3), ("verify", 1), ("checkpoints list", 1), ("status --all", 1)):
        before = len(wide.hub.facts().asked_s)
        done = wide.run(*command.split(), "--json")
        assert done.returncode in {0, 3}, (done.stdout, done.stderr)
        asked_s = wide.hub.facts().asked_s[before:]
        assert len(asked_s) <= PARTITIONS + others, command
        assert most_in_a_second(asked_s) <= MOST_PER_S, command


def test_a_partition_that_does_not_answer_is_named_and_holds_up_no_other(wide: Pipeline) -> None:
    wide.hub.silence(SILENT)
    with ThreadPoolExecutor(2) as both:
        check, verify = both.map(lambda name: wide.run(name, "--json"), ("check", "verify"))
    wide.hub.heal()
    assert (check.returncode, verify.returncode) == (69, 69)
    checked = {one["name"]: one for one in json.loads(check.stdout)["checks"]}
    assert [name for name in checked if name.startswith("partition ")] == [f"partition {n}" for n in range(PARTITIONS)]
    assert [name for name, one in checked.items() if one["verdict"] == "fail"] == [f"partition {SILENT}"]
    assert "no answer for" in checked[f"partition {SILENT}"]["detail"]
    proofs: list[dict[str, Any]] = json.loads(verify.stdout)["partitions"]
    assert [one["partition"] for one in proofs if one["verdict"] == "unknown"] == [SILENT]
    assert len(proofs) == PARTITIONS
    assert verify.stderr.startswith(f"evsup: 1 of {PARTITIONS} partitions are unknown: Partition {SILENT}")
