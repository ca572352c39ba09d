"""What the settings name and this version cannot do: refused, never ignored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from shared.config.faults import Fault
from shared.config.settings import Settings
from shared.config.variables import VARIABLES


@dataclass(frozen=True, slots=True)
class NotYet:
    """Values of one variable that this version refuses."""

    variable: str
    refuses: Callable[[Any], bool]
    what: str
    """The refused values, as text for a fault and for `.env.example`."""
    instead: str
    """What to type."""


NOT_YET = (
    NotYet("SNOWFLAKE_ROW_FORMAT", lambda value: value == "columns", "`columns`", "envelope"),
    NotYet("SNOWFLAKE_CHANNELS_PER_PARTITION", lambda value: value > 1, "more than `1`", "1"),
)


def everything_is_built(settings: Settings) -> Iterator[Fault]:
    """No setting names what this version cannot do: it would be ignored silently."""
    for row in NOT_YET:
        if row.refuses(VARIABLES[row.variable].of(settings)):
            yield Fault(row.variable, f"{row.what} is not available in this version", row.instead)


RULES = ((everything_is_built, ()),)
