"""The faults of a configuration, reported all together so that a person can correct them at once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import fill

from shared.config.variables import VARIABLES
from shared.errors import ConfigurationError
from shared.log.secret import MASK, mask

WIDTH = 80  # of the narrowest terminal in use
INDENT = " " * 6
LONGEST_SHOWN = 100
LONGEST_MASKED = 2000  # what is cut off before the masks look at it is never shown

# A key or a token without anything around it that would say so. Paths and names rarely have 40 such characters in a
# row with capitals, small letters and digits among them.
_LIKE_A_KEY = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=[^0-9]*[0-9])[A-Za-z0-9+/_=-]{40,}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one variable.

    `reason` continues a sentence that begins with the variable and never quotes the value of a credential; `example`
    is what to type instead (None: the variable's own example; empty: nothing).
    """

    variable: str
    reason: str
    example: str | None = None


def report(faults: Iterable[Fault], texts: Mapping[str, str], sources: Mapping[str, str]) -> ConfigurationError:
    """All faults as one error; `texts` are the values as typed, `sources` where each came from, by variable."""
    # In the order of docs/settings.md, names that are no settings first.
    order = {name: place for place, name in enumerate(VARIABLES)}
    ordered = sorted(faults, key=lambda fault: order.get(fault.variable, -1))
    blocks = [_block(fault, texts.get(fault.variable), sources.get(fault.variable, "")) for fault in ordered]
    count = "1 fault" if len(blocks) == 1 else f"{len(blocks)} faults"
    return ConfigurationError("The configuration cannot be used", "\n".join([count, *blocks]))


def _block(fault: Fault, text: str | None, source: str) -> str:
    value = f" = {_shown(fault.variable, text)} ({source})" if text else ""
    name = fault.variable if fault.variable.isprintable() else ascii(fault.variable)  # one may be of the file
    lines = [f"  {name}{value}", fill(fault.reason, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)]
    if example := _example(fault):
        lines.append(f"{INDENT}Example: {fault.variable}={example}")
    return "\n".join(lines)


def _example(fault: Fault) -> str:
    if fault.example is not None:
        return fault.example
    variable = VARIABLES.get(fault.variable)
    return next(iter(variable.examples), "") if variable else ""


def _shown(name: str, text: str) -> str:
    """The value as typed, in quotes, unless it is a credential or could be one that was typed in the wrong place."""
    if name not in VARIABLES or VARIABLES[name].secret:
        return MASK
    # Masked before it is cut: half of a credential does not look like one.
    text = _LIKE_A_KEY.sub(MASK, mask(text[:LONGEST_MASKED]))
    if len(text) > LONGEST_SHOWN:
        text = text[: LONGEST_SHOWN - 1] + "…"
    return ascii(text) if not text.isprintable() else f"'{text}'"
