"""SQL text as tokens, without comments, so that a keyword in a string or a comment is not taken for a clause.

Lexical rules: https://docs.snowflake.com/en/sql-reference/identifiers-syntax,
https://docs.snowflake.com/en/sql-reference/data-types-text#string-constants and
https://docs.snowflake.com/en/sql-reference/constructs/comment (`--`, `//` and `/* */`, which does not nest).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

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
SHOWN = 12  # tokens of a statement that a message quotes
_PAIRS = {"(": ")", "[": "]", "{": "}"}


class NotUnderstood(ValueError):
    """The text has none of the known shapes. The message says where it differs."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` is its text; of a quoted name or a string without the quotes."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        marks = {"quoted": '"', "string": "'"}.get(self.kind, "")
        return f"{marks}{self.text}{marks}"

    @property
    def name(self) -> str:
        """The name of an object as Snowflake reads it: in capitals unless it is quoted."""
        return self.text if self.kind == "quoted" else self.text.upper()

    def matches(self, *texts: str) -> bool:
        """Whether it is one of these keywords or signs. A quoted name or a string never is."""
        return self.kind in ("name", "sign", "place") and self.name in texts


Tokens = Sequence[Token]


def tokenize(text: str) -> list[Token]:
    """The tokens of a statement. Raises `NotUnderstood` where none begins."""
    found, at = [], 0
    while at < len(text):
        match = _LEXICON.match(text, at)
        if match is None or match.lastgroup is None:
            raise NotUnderstood(f"what begins with {text[at : at + 20]!r}")
        if match.lastgroup != "skip":
            found.append(_token(match.lastgroup, match[0]))
        at = match.end()
    return found


def shown(part: Tokens) -> str:
    """A part of a statement as a message quotes it."""
    text = " ".join(map(str, part[:SHOWN]))
    return _TIGHT.sub(r"\1\2", text) + (" …" if len(part) > SHOWN else "")


def closing(part: Tokens, opened: int) -> int:
    """The index of the bracket that closes the one at `opened`."""
    expected: list[str] = []
    for at in range(opened, len(part)):
        token = part[at]
        if token.kind == "sign" and token.text in _PAIRS:
            expected.append(_PAIRS[token.text])
        elif expected and token.matches(expected[-1]):
            expected.pop()
            if not expected:
                return at
    raise NotUnderstood(f"a bracket that is not closed: {shown(part[opened:])}")


def outside_brackets(part: Tokens) -> Iterator[tuple[int, Token]]:
    """The tokens outside of brackets with their indexes; an opening bracket is one of them."""
    at = 0
    while at < len(part):
        yield at, part[at]
        at = closing(part, at) + 1 if part[at].matches(*_PAIRS) else at + 1


def split_at_commas(part: Tokens) -> list[Tokens]:
    """The parts between the commas outside of brackets."""
    commas = [at for at, token in outside_brackets(part) if token.matches(",")]
    starts = [0, *(at + 1 for at in commas)]
    return [part[start:end] for start, end in zip(starts, [*commas, len(part)], strict=True)]


def _token(group: str, text: str) -> Token:
    match group:
        case "name" | "place" | "number":
            return Token(group, text)
        case "quoted":
            return Token("quoted", text[1:-1].replace('""', '"'))
        case "string" if text.startswith("$$"):
            return Token("string", text[2:-2])
        case "string":
            return Token("string", text[1:-1].replace("''", "'"))
    return Token("sign", text)
