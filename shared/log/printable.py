"""Texts of others, made safe for a terminal: a message of a service can contain what a sender put into an event."""

import re

# All control characters but tab and line break, those that turn the direction of writing, and halves of a character,
# which no encoding has.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` with its control characters shown, as Python writes them, so that no terminal acts on them."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
