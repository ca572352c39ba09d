"""How much is measured: turns and events, and fewer turns when time runs short."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.clock import Deadline, monotonic


@dataclass(frozen=True)
class Budget:
    """What a part may use. One turn is always taken, however late it is."""

    turns: int
    events: int
    """Of 250 B in a turn; of larger ones there are fewer."""
    seconds: float

    def rounds(self, most: int | None = None) -> Iterator[int]:
        """The numbers of the turns, as long as another one like the longest so far fits into the time."""
        deadline, longest_s = Deadline.after(self.seconds), 0.0
        for number in range(min(self.turns, most or self.turns)):
            if number and deadline.remaining_s() < longest_s:
                return
            began_s = monotonic()
            yield number
            longest_s = max(longest_s, monotonic() - began_s)

    def part(self, share: float) -> "Budget":
        """The same with a share of the time."""
        return Budget(self.turns, self.events, self.seconds * share)
