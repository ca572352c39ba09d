"""A fault: how it strikes, how long it lasts, how it ends, and how it is known to have done its damage."""

from collections.abc import Callable
from dataclasses import dataclass

from scripts.chaos.faults.schedule import Strike
from scripts.chaos.scene.scene import Scene


def nothing(_scene: Scene, _strike: Strike) -> None:
    """For a fault that ends by itself."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault. It strikes again and again, at a place that each strike names."""

    name: str
    strike: Callable[[Scene, Strike], bool]
    """Whether there was anybody to hit."""
    fired: Callable[[Scene], int]
    """How often faults of this kind have done damage so far."""
    mend: Callable[[Scene, Strike], None] = nothing
    lasts_s: tuple[float, float] = (0.0, 0.0)
    """From the shortest to the longest; zeros: it is over at once."""
    stays: bool = False
    """It stays until somebody meets it. Any other strikes again when nobody was hurt."""

    def ends_s(self, strike: Strike, now_s: float) -> float:
        """When this strike is to be mended."""
        shortest, longest = self.lasts_s
        return now_s + shortest + strike.share * (longest - shortest)
