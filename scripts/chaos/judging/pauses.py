"""How long partitions stand still: the time in which no row of one becomes durable, though events are published."""

from collections.abc import Mapping

from scripts.chaos.judging.broken import InvariantBroken

PAUSE_S = 2.0  # a shorter time passes between two commits anyway


class Pauses:
    """Sees every token at every look. A partition that has stood still for longer than `limit_s` breaks I10."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._tokens: dict[str, str | None] = {}
        self._moved_s: dict[str, float] = {}
        self._lengths_s: list[float] = []

    def begin(self, tokens: Mapping[str, str | None], now_s: float) -> None:
        """From now on events are published."""
        self._tokens = dict(tokens)
        self._moved_s = dict.fromkeys(tokens, now_s)

    def see(self, tokens: Mapping[str, str | None], now_s: float, changed_s: float) -> None:
        """Take the tokens of a look; the limit counts from the last time that anything was done to the group."""
        for partition, moved_s in self._moved_s.items():
            if (token := tokens[partition]) != self._tokens[partition]:
                self._tokens[partition], self._moved_s[partition] = token, now_s
                if now_s - moved_s >= PAUSE_S:
                    self._lengths_s.append(now_s - moved_s)
            elif now_s - max(moved_s, changed_s) > self._limit_s:
                raise InvariantBroken(
                    "I10", f"partition {partition} has stood still for {now_s - moved_s:.1f} s at token {token}"
                )

    def have_all_moved_since(self, since_s: float) -> bool:
        """Whether every partition has."""
        return all(moved_s > since_s for moved_s in self._moved_s.values())

    def take(self) -> tuple[float, ...]:
        """Those that ended since the last call."""
        lengths_s, self._lengths_s = tuple(self._lengths_s), []
        return lengths_s
