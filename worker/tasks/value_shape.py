"""What the values of a key look like: their kinds and sizes, and never a value itself, which may be a secret."""

import re
from collections import Counter
from datetime import datetime, time

import msgspec

from shared.ipc.messages import KeyShape, ValueKind

_FIRST: dict[int, ValueKind] = {ord("n"): "null", ord("t"): "boolean", ord("f"): "boolean", ord("{"): "object"}
_FIRST[ord("[")] = "array"
_DATE, _CLOCK, _OFFSET = r"\d{4}-\d{2}-\d{2}", r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?", r"(?: ?(?:Z|[+-]\d{2}:?\d{2}))"
_TEXTS: tuple[tuple[ValueKind, re.Pattern[str]], ...] = (
    ("date", re.compile(_DATE)),
    ("timestamp", re.compile(rf"{_DATE}[T ]{_CLOCK}")),
    ("timestamp with an offset", re.compile(rf"{_DATE}[T ]{_CLOCK}{_OFFSET}")),
    ("time", re.compile(_CLOCK)),
    ("time with an offset", re.compile(rf"{_CLOCK}{_OFFSET}")),
    ("number as text", re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")),
)
_NUMBER = re.compile(r"-?(?P<digits>\d+)(?:\.(?P<scale>\d+))?(?P<exponent>[eE][+-]?\d+)?")


class KeyValues:
    """Collects the values of one key."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._kinds: Counter[ValueKind] = Counter()
        self._characters = self._digits = self._scale = 0

    def add(self, raw: bytes) -> None:
        """A value, as it stands in the JSON."""
        self._kinds[self._kind(raw)] += 1

    def shape(self) -> KeyShape:
        """What all of them look like."""
        sizes = {"most_characters": self._characters, "most_digits": self._digits, "most_scale": self._scale}
        return KeyShape(key=self._key, kinds=dict(self._kinds), **sizes)

    def _kind(self, raw: bytes) -> ValueKind:
        if raw[0] in _FIRST:
            return _FIRST[raw[0]]
        if raw[0] != ord('"'):
            return self._number(raw.decode())
        text = msgspec.json.decode(raw, type=str)
        self._characters = max(self._characters, len(text))
        return next((kind for kind, pattern in _TEXTS if pattern.fullmatch(text) and _is_valid(kind, text)), "text")

    def _number(self, text: str) -> ValueKind:
        found = _NUMBER.fullmatch(text)
        if found is None or found["exponent"]:
            return "number"
        self._digits = max(self._digits, len(found["digits"].lstrip("0")))
        self._scale = max(self._scale, len(found["scale"] or ""))
        if found["scale"]:
            return "number"
        return "0 or 1" if text in {"0", "1"} else "integer"


def _is_valid(kind: ValueKind, text: str) -> bool:
    """Whether a text that looks like a time is one: the 31st of February is text."""
    try:
        if kind in {"date", "timestamp", "timestamp with an offset"}:
            datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
        elif kind in {"time", "time with an offset"}:
            time.fromisoformat(text.replace(" ", ""))
    except ValueError:
        return False
    return True
