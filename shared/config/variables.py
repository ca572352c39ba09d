"""The settings' structs seen as environment variables: names, types and defaults by introspection, never by hand."""

import os
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from unicodedata import category

import msgspec
from msgspec import NODEFAULT, inspect

from shared.config.settings import Settings
from shared.log.secret import MASK, Secret, looks_like_a_credential, mask

# Fields with these endings are paths, where a leading ~ means the home directory as it does for a shell.
PATH_ENDINGS = ("_file", "_path", "_dir")


_HARMLESS = re.compile(r"true|false|-?[0-9]{1,12}(?:\.[0-9]{1,6})?", re.IGNORECASE)


class _Section(Protocol):
    prefix: ClassVar[str]
    title: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: the field of `Settings` it fills, and what may stand in it."""

    name: str
    section: str
    """The field of `Settings` that holds the struct."""
    title: str
    """The section's name for people."""
    field: str
    type: Any
    """The field's annotation, for `msgspec.convert`."""
    kind: inspect.Type
    """The annotation without `Meta` and without None."""
    default: Any
    meaning: str
    examples: tuple[str, ...]

    @property
    def required(self) -> bool:
        """Whether there is no default, not even None."""
        return self.default is NODEFAULT

    @property
    def secret(self) -> bool:
        """Whether the value is a credential."""
        return isinstance(self.kind, inspect.CustomType)

    @property
    def expected(self) -> str:
        """What may stand here, in plain English: `a whole number from 1 to 60`."""
        return _expected(self.kind, " of seconds" if self.meaning.startswith("Seconds ") else "")

    def clean(self, text: str) -> str:
        """`text` without what shells, files and Kubernetes secrets leave around a value; empty means unset."""
        if not self.secret:
            return text.strip()
        if "-----BEGIN" in text:
            text = text.replace("\\n", "\n")  # how a PEM travels where a variable cannot hold a line break
        return text.strip("\r\n")

    def parse(self, text: str) -> Any:
        """The typed value of a clean text. Raises ValueError with the reason in plain English, never with the text."""
        _refuse_unprintable(text, secret=self.secret)
        if not self.secret and self._is_in_quotes(text):
            raise ValueError("stands in quotes, which are part of the value here (a Docker --env-file keeps them)")
        if isinstance(self.kind, inspect.StrType) and looks_like_a_credential(text):
            raise ValueError("must not hold a credential, and this looks like a key, a password or a token")
        if self.field.endswith(PATH_ENDINGS):
            text = _with_home(text)
        try:
            return self._convert(text)
        except (msgspec.MsgspecError, ValueError, OverflowError):
            raise ValueError(f"must be {self.expected}") from None

    def _is_in_quotes(self, text: str) -> bool:
        """A name in Snowflake may stand in double quotes, and nothing else in any."""
        is_name = isinstance(self.kind, inspect.StrType) and not self.field.endswith(PATH_ENDINGS)
        return len(text) > 1 and text[0] == text[-1] and text[0] in ("'" if is_name else "'\"")

    def _convert(self, text: str) -> Any:
        if isinstance(self.kind, inspect.DictType):
            return msgspec.json.decode(text, type=self.type)
        if isinstance(self.kind, inspect.LiteralType):
            text = text.lower()
        # A text becomes a number or a truth value, as in JSON; `Secret` is the one type that msgspec does not know.
        return msgspec.convert(text, type=self.type, strict=False, dec_hook=lambda _, text: Secret(text))

    def of(self, settings: Settings) -> Any:
        """The value in `settings`."""
        return getattr(getattr(settings, self.section), self.field)


def shown(value: Any) -> Any:
    """A value of a setting as it may be shown: credentials masked.

    Of `SNOWFLAKE_STREAMING_PROPERTIES` only numbers and truth values are shown: a name such as `pat` says nothing.
    """
    match value:
        case Secret():
            return MASK
        case str():
            return mask(value)
        case dict():
            return {key: text if _HARMLESS.fullmatch(text) else MASK for key, text in value.items()}
        case _:
            return value


def as_text(value: Any) -> str:
    """A value as it would be typed; None is empty. Credentials as they are: give it what `shown` returned."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case dict():
            return msgspec.json.encode(value).decode() if value else ""
        case _:
            return str(value)


def _with_home(path: str) -> str:
    """The path with the home directory that its leading ~ means. Raises ValueError where there is none: as it is, the
    text would be a path from the working directory.
    """
    found = os.path.expanduser(path)  # noqa: PTH111 (pathlib's own error does not say whose directory)
    if found.startswith("~"):
        user = found.partition("/")[0]
        raise ValueError(f"begins with {user}, and there is no such user (a file of that name is ./{user})")
    return found


def _refuse_unprintable(text: str, *, secret: bool) -> None:
    """Characters that nobody sees, and bytes that are no UTF-8 (surrogates, as `os.environ` has them) only come by
    mistake, as with a copy from a chat. A credential may have several lines, and a byte order mark before a key.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8 text") from None
    if any(ord(char) < 32 and char not in "\t\r\n" if secret else category(char) in ("Cc", "Cf") for char in text):
        raise ValueError("must be one line of text without control characters or invisible ones")


def _expected(kind: inspect.Type, unit: str) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _bounds(kind)
        case inspect.FloatType():
            return f"a number{unit}{_bounds(kind)}"
        case inspect.LiteralType(values=values):
            *others, last = map(str, values)
            return f"{', '.join(others)} or {last}"
        case inspect.DictType():
            return "a JSON object whose values are texts in double quotes"
        case inspect.StrType(pattern=str(pattern)):
            return f"text that matches {pattern}"
        case _:
            return "text"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.gt is not None:
        return f" above {kind.gt:g}, at most {kind.le:.0f}"
    return f" from {kind.ge:.12g} to {kind.le:.0f}"


def _variables() -> dict[str, Variable]:
    found = (
        _variable(section.name, section.type, field)
        for section in msgspec.structs.fields(Settings)
        for field in msgspec.structs.fields(section.type)
    )
    return {variable.name: variable for variable in found}


def _variable(section: str, struct: type[_Section], field: msgspec.structs.FieldInfo) -> Variable:
    described = inspect.type_info(field.type)
    documentation: dict[str, Any] = {}
    if isinstance(described, inspect.Metadata):
        documentation, described = described.extra_json_schema or {}, described.type
    if isinstance(described, inspect.UnionType):
        described = next(kind for kind in described.types if not isinstance(kind, inspect.NoneType))
    return Variable(
        name=struct.prefix + field.name.upper(),
        section=section,
        title=struct.title,
        field=field.name,
        type=field.type,
        kind=described,
        default=field.default if field.default_factory is NODEFAULT else field.default_factory(),
        meaning=documentation["description"],
        examples=tuple(documentation.get("examples", ())),
    )


VARIABLES = _variables()
"""Every variable by its name, in the order of the structs."""

PREFIXES = tuple(section.type.prefix for section in msgspec.structs.fields(Settings))
