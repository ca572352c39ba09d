"""SQL text as words, without comments: what keeps a pipe's definition from being read by its looks.

Lexical rules: https://docs.snowflake.com/en/sql-reference/identifiers-syntax,
https://docs.snowflake.com/en/sql-reference/data-types-text#string-constants and
https://docs.snowflake.com/en/sql-reference/constructs/comment (`--`, `//` and `/* */`, which does not nest).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Kind = Literal["name", "quoted", "string", "number", "place", "sign"]

_LEXICON = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|//[^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^'\\]|\\.|'')*'|\$\$.*?\$\$)
    |(?P<quoted>"(?:[^"]|"")+")
    |(?P<place>\$\d+)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[^\W\d][\w$]*)
    |(?P<sign>=>|::|<=|>=|<>|!=|\|\||[-+*/%=<>()\[\]{},.:;@|!&^?])""",
    re.VERBOSE | re.DOTALL,
)
_TIGHT = re.compile(r" ?(::?|[.(\[@]) | ?([)\],])")
SHOWN = 12  # words of a statement that a message repeats
_PAIRS = {"(": ")", "[": "]", "{": "}"}


class NotUnderstood(ValueError):
    """The text is not of the shape that is known; says where it stops to be."""


class Word(NamedTuple):
    """One word: `text` is what stands there, a quoted name or a string without its quotes."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        marks = {"quoted": '"', "string": "'"}.get(self.kind, "")
        return f"{marks}{self.text}{marks}"

    @property
    def name(self) -> str:
        """As Snowflake takes it for the name of an object: in capitals unless it is quoted."""
        return self.text if self.kind == "quoted" else self.text.upper()

    def says(self, *texts: str) -> bool:
        """Whether it is one of these names or signs; a quoted name or a string never is."""
        return self.kind in ("name", "sign", "place") and self.name in texts


Words = Sequence[Word]


def words(text: str) -> list[Word]:
    """The words of a statement; raises `NotUnderstood` where none begins."""
    found, at = [], 0
    while at < len(text):
        match = _LEXICON.match(text, at)
        if match is None or match.lastgroup is None:
            raise NotUnderstood(f"what begins with {text[at : at + 20]!r}")
        if match.lastgroup != "skip":
            found.append(_word(match.lastgroup, match[0]))
        at = match.end()
    return found


def shown(part: Words) -> str:
    """A part of a statement as a message repeats it."""
    text = " ".join(map(str, part[:SHOWN]))
    return _TIGHT.sub(r"\1\2", text) + (" …" if len(part) > SHOWN else "")


def closing(part: Words, opened: int) -> int:
    """Where the bracket that opens at `opened` closes again."""
    expected: list[str] = []
    for at in range(opened, len(part)):
        word = part[at]
        if word.kind == "sign" and word.text in _PAIRS:
            expected.append(_PAIRS[word.text])
        elif expected and word.says(expected[-1]):
            expected.pop()
            if not expected:
                return at
    raise NotUnderstood(f"a bracket without its other one: {shown(part[opened:])}")


def outside(part: Words) -> Iterator[tuple[int, Word]]:
    """The words that stand in no brackets, with their places; a bracket itself is one of them."""
    at = 0
    while at < len(part):
        yield at, part[at]
        at = closing(part, at) + 1 if part[at].says(*_PAIRS) else at + 1


def split(part: Words) -> list[Words]:
    """The parts between the commas that stand in no brackets."""
    commas = [at for at, word in outside(part) if word.says(",")]
    starts = [0, *(at + 1 for at in commas)]
    return [part[start:end] for start, end in zip(starts, [*commas, len(part)], strict=True)]


def _word(group: str, text: str) -> Word:
    match group:
        case "name" | "place" | "number":
            return Word(group, text)
        case "quoted":
            return Word("quoted", text[1:-1].replace('""', '"'))
        case "string" if text.startswith("$$"):
            return Word("string", text[2:-2])
        case "string":
            return Word("string", text[1:-1].replace("''", "'"))
    return Word("sign", text)
