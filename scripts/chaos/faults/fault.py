"""A fault: how it strikes, how long it lasts, how it ends, and how it is known to have done its damage."""

from collections.abc import Callable
from dataclasses import dataclass

from scripts.chaos.faults.schedule import Strike
from scripts.chaos.scene.scene import Scene


def nothing(_scene: Scene, _strike: Strike) -> None:
    """For a fault that ends by itself."""


@dataclass(frozen=True)
class Fault:
    """`strike` is False when there is nobody to hit for now; `fired` grows with the damage done, by all of its kind."""

    name: str
    strike: Callable[[Scene, Strike], object]
    fired: Callable[[Scene], int]
    mend: Callable[[Scene, Strike], None] = nothing
    lasts_s: tuple[float, float] = (0.0, 0.0)
    stays: bool = False
    """Armed until somebody meets it; any other strikes again when nobody was hurt."""

    def ends_s(self, strike: Strike, now_s: float) -> float:
        """When this strike is to be mended."""
        shortest, longest = self.lasts_s
        return now_s + shortest + strike.share * (longest - shortest)
