"""Between a host and a service: how long requests and answers take, and which of them arrive."""

from dataclasses import dataclass
from random import Random

from tests.simulation.world import World

FAST_S = 0.02
AWAY_S = 20.0
TIMEOUT_S = 4.0  # a call that is not answered fails after this


@dataclass(slots=True)
class Network:
    """The way from one host to the control store, and to queries of the hub for its partitions.

    The moments say until when it is bad, and how.
    """

    world: World
    away_until_s: float = 0.0
    """Requests do not arrive."""
    forgetful_until_s: float = 0.0
    """Requests arrive and are executed; their replies are lost."""
    slow_until_s: float = 0.0
    slow_s: float = 0.0
    parting_s: float = 0.0
    """When not 0: the next answer to a supervisor takes so long, and none comes after it."""

    hub_away_until_s: float = 0.0
    """The hub does not answer queries for its partitions."""

    @property
    def reaches_hub(self) -> bool:
        """Whether the hub answers a query that is sent now."""
        return self.world.now_s >= self.hub_away_until_s

    @property
    def carries_requests(self) -> bool:
        """Whether a request that is sent now arrives."""
        return self.world.now_s >= self.away_until_s

    @property
    def carries_answers(self) -> bool:
        """Whether an answer that is sent now arrives."""
        return self.world.now_s >= self.forgetful_until_s

    def heal(self) -> None:
        """It is undisturbed from now on."""
        self.away_until_s = self.forgetful_until_s = self.slow_until_s = self.parting_s = 0.0
        self.hub_away_until_s = 0.0

    def last_answer_s(self) -> float:
        """How long the next answer to a supervisor takes."""
        if not self.parting_s:
            return self.delay_s()
        parting_s, self.parting_s = self.parting_s, 0.0
        self.leave(parting_s + AWAY_S)
        return parting_s

    def delay_s(self) -> float:
        """How long the next request or answer takes."""
        most_s = self.slow_s if self.world.now_s < self.slow_until_s else FAST_S
        return skewed(self.world.rng, most_s)

    def leave(self, lasts_s: float) -> None:
        """It carries nothing for so long."""
        self.away_until_s = self.world.now_s + lasts_s


def skewed(rng: Random, most_s: float) -> float:
    """Mostly short, now and then nearly the most."""
    return most_s * rng.random() ** 3
