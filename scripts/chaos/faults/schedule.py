"""What breaks when: a pure function of the seed, so that a run that failed can be repeated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

EVERY_S = 1.5  # between two faults, on average


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault that is due `at_s` after the beginning, and what it hits."""

    at_s: float
    fault: str
    partition: str
    unit: int
    share: float
    """Where between its shortest and its longest a fault that lasts is to end, from 0 to 1."""


def plan(
    seed: int,
    seconds: float,
    faults: Sequence[str],
    partitions: Sequence[str],
    units: int,
    every_s: float = EVERY_S,
) -> list[Strike]:
    """Faults dealt like cards: each comes once before any comes twice, in an order that the seed decides."""
    random = Random(seed)  # noqa: S311 (no secret hangs on it)
    count = max(1, int(seconds / every_s))
    cards = _dealt(random, faults)
    return [
        Strike(
            at_s=(turn + random.random()) * seconds / count,
            fault=next(cards),
            partition=random.choice(partitions),
            unit=random.randrange(units),
            share=random.random(),
        )
        for turn in range(count)
    ]


def _dealt(random: Random, faults: Sequence[str]) -> Iterator[str]:
    while True:
        yield from random.sample(faults, len(faults))
