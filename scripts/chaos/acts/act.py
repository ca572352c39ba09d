"""A part of a run: what is done to the supervisors while events are published, and what is known of it afterwards."""

from dataclasses import dataclass
from typing import Protocol


class Act(Protocol):
    """One part. The run calls `turn` again and again until it is over."""

    @property
    def name(self) -> str:
        """What it does, in a few words."""

    @property
    def limit_s(self) -> float:
        """The run fails when the act takes longer."""

    @property
    def changed_s(self) -> float:
        """When it last broke, mended, started or stopped something, on the monotonic clock."""

    def turn(self, at_s: float) -> bool:
        """Do what is due so many seconds after its beginning, without waiting; say whether it is over."""


@dataclass(frozen=True)
class Played:
    """An act that is over."""

    name: str
    took_s: float
    pauses_s: tuple[float, ...]
    """How long partitions stood still, each time that one did."""
