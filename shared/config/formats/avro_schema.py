"""Avro schemas: the types by which a body is read, or why a text is no schema.

`evsup check` and the workers read a schema here, so what the one accepts the other can use. A schema is valid when
Avro's own libraries take it. What only writers and other versions need is not looked at: defaults, aliases, docs.
A logical type that is unknown or does not fit is ignored, as Avro asks of every reader.
https://avro.apache.org/docs/1.12.0/specification/#schema-declaration
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from shared.config.formats.files import text_of

# As many as the registry takes: https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
MOST_BYTES = 1024 * 1024
DEEPEST = 100  # types within types; a reader calls itself for each, and Python's stack ends at about 300
LARGEST_INT = 2**31 - 1  # of a size, a precision or a scale: an int of Avro
LONGEST_SHOWN = 80  # characters of a name or a place that an error repeats
PRIMITIVES = frozenset(("null", "boolean", "int", "long", "float", "double", "bytes", "string"))
BYTE_ORDER_MARK = "\ufeff"

# Letters of any language, as Avro's own libraries allow since 1.11.2.
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Logical:
    """What a plain type means. Precision and scale are those of a decimal."""

    name: str
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without parts."""

    name: str
    logical: Logical | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """So many bytes."""

    name: str
    size: int
    logical: Logical | None = None


@dataclass(frozen=True, slots=True)
class Enum:
    """One of the symbols."""

    name: str
    symbols: Sequence[str]


@dataclass(frozen=True, slots=True)
class Array:
    """Any number of items."""

    items: "Type"


@dataclass(frozen=True, slots=True)
class Map:
    """Any number of values, each under a text."""

    values: "Type"


@dataclass(frozen=True, slots=True)
class Union:
    """A value of one of the types."""

    branches: Sequence["Type"]


@dataclass(frozen=True, slots=True)
class Record:
    """Fields in their order."""

    name: str
    fields: Sequence[tuple[str, "Type"]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A type that has this name. It may be a record around this place."""

    name: str


Type: TypeAlias = Primitive | Fixed | Enum | Array | Map | Union | Record | Reference


def schema_problem(path: str) -> str | None:
    """Why a file is no Avro schema, in plain English; None: it is one."""
    try:
        of_file(path)
    except ValueError as error:
        return str(error)
    return None


def of_file(path: str) -> Type:
    """The schema in a file. Raises `ValueError` with the reason in plain English."""
    text = text_of(path, MOST_BYTES + 1)
    try:
        return parse(text.removeprefix(BYTE_ORDER_MARK))  # some editors write one
    except ValueError as error:
        raise ValueError(f"is no Avro schema: {error}") from None


def parse(text: str) -> Type:
    """The type that a definition describes. Raises `ValueError`, whose text says what is wrong, where, and what helps.

    A place is written as in JSONPath: `$.fields[2].type` is the type of the third field.
    """
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    try:
        schema = msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except (msgspec.DecodeError, ValueError) as error:  # Python refuses numbers of thousands of digits
        raise ValueError(f"it is no JSON: {error}") from None
    return _Parser().type_of(schema, "", "$")


class _Parser:
    """Reads one schema. A name is known from its definition on, also within it."""

    def __init__(self) -> None:
        self._defined: set[str] = set()
        self._depth = 0

    def type_of(self, schema: Any, namespace: str, place: str) -> Type:
        """The type at a place, whose names without a dot are of that namespace."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise _invalid("the types are nested too deep", place, f"{DEEPEST} levels are the bound")
        found = self._type_of(schema, namespace, place)
        self._depth -= 1  # not after an error: that ends the whole
        return found

    def _type_of(self, schema: Any, namespace: str, place: str) -> Type:
        match schema:
            case str():
                return self._named(schema, namespace, place)
            case list():
                return self._union(schema, namespace, place)
            case {"type": str(kind)}:
                return self._of_kind(kind, schema, namespace, place)
            case {"type": inner}:  # one more pair of braces, as Java writes them around a property of its own
                return self.type_of(inner, namespace, f"{place}.type")
            case _:
                raise _invalid("there is no type", place, 'it is a name, a list of types, or an object with a "type"')

    def _of_kind(self, kind: str, schema: dict[str, Any], namespace: str, place: str) -> Type:
        match kind:
            case "record" | "error":
                return self._record(schema, namespace, place)
            case "enum":
                name, _ = self._define(schema, namespace, place)
                return Enum(name, _symbols(schema, place))
            case "fixed":
                name, _ = self._define(schema, namespace, place)
                size = _size(schema, place)
                return Fixed(name, size, _logical(schema, _most_digits(size)))
            case "array":
                return Array(self.type_of(_part(schema, "items", place), namespace, f"{place}.items"))
            case "map":
                return Map(self.type_of(_part(schema, "values", place), namespace, f"{place}.values"))
            case _ if kind in PRIMITIVES:
                return Primitive(kind, _logical(schema, LARGEST_INT))
            case _:
                return self._named(kind, namespace, f"{place}.type")

    def _named(self, name: str, namespace: str, place: str) -> Type:
        if name in PRIMITIVES:
            return Primitive(name)
        # In the namespace around it, else in none, as Avro's own libraries look for it.
        for known in (name if "." in name else f"{namespace}.{name}", name):
            if known in self._defined:
                return Reference(known)
        raise _invalid(f"the type {_shown(name)} is not known", place, "define it in this schema, at its first use")

    def _union(self, schema: list[Any], namespace: str, place: str) -> Union:
        branches = [self.type_of(each, namespace, f"{place}[{at}]") for at, each in enumerate(schema)]
        kinds = set[str]()
        for at, branch in enumerate(branches):
            if isinstance(branch, Union):
                raise _invalid(
                    "a union is directly within a union", f"{place}[{at}]", "write its types into the outer one"
                )
            # Of types without a name there may be one of each kind.
            kind = type(branch).__name__.lower() if isinstance(branch, Array | Map) else _shown(branch.name)
            if kind in kinds:
                raise _invalid(f"a union has the type {kind} twice", f"{place}[{at}]", "remove one")
            kinds.add(kind)
        return Union(branches)

    def _record(self, schema: dict[str, Any], namespace: str, place: str) -> Record:
        name, namespace = self._define(schema, namespace, place)
        listed = _part(schema, "fields", place)
        if not isinstance(listed, list):
            raise _invalid(
                "the fields of a record are no list", f"{place}.fields", 'write "fields": [{"name": …, "type": …}]'
            )
        fields: dict[str, Type] = {}
        for at, field in enumerate(listed):
            where = f"{place}.fields[{at}]"
            if not isinstance(field, dict):
                raise _invalid("a field is no object", where, 'write {"name": …, "type": …}')
            called = _name(field, where)
            if called in fields:  # one value would take the place of the other in the JSON
                raise _invalid(f"the record {_shown(name)} has the field {_shown(called)} twice", where, "rename one")
            fields[called] = self.type_of(_part(field, "type", where), namespace, f"{where}.type")
        return Record(name, tuple(fields.items()))

    def _define(self, schema: dict[str, Any], namespace: str, place: str) -> tuple[str, str]:
        """The full name of a type that is defined here, and its namespace."""
        # Any text is a namespace: that of a class within another ends with a $ in Java.
        own = schema.get("namespace", namespace) or ""
        if not isinstance(own, str):
            raise _invalid("a namespace is no text", f"{place}.namespace", 'write "…"')
        before, dot, name = _name(schema, place, has_dots=True).rpartition(".")
        namespace = before if dot else own
        full = f"{namespace}.{name}" if namespace else name
        if full in self._defined or full in PRIMITIVES:
            raise _invalid(f"the name {_shown(full)} is taken by another type", f"{place}.name", "rename one")
        self._defined.add(full)
        return full, namespace


def _name(schema: Mapping[str, Any], place: str, *, has_dots: bool = False) -> str:
    name = _part(schema, "name", place)
    if not isinstance(name, str) or not _NAME.fullmatch(name.rpartition(".")[2] if has_dots else name):
        shown = f"{_shown(name)} is no name" if isinstance(name, str) else "a name is no text"
        raise _invalid(shown, f"{place}.name", "use letters, digits and underscores, and no digit in front")
    return name


def _symbols(schema: Mapping[str, Any], place: str) -> Sequence[str]:
    symbols = _part(schema, "symbols", place)
    if not isinstance(symbols, list) or not all(isinstance(each, str) and _NAME.fullmatch(each) for each in symbols):
        raise _invalid(
            "the symbols of an enum are no list of names", f"{place}.symbols", "use letters, digits and underscores"
        )
    if len(set(symbols)) < len(symbols):
        raise _invalid("an enum has a symbol twice", f"{place}.symbols", "remove one")
    return symbols


def _size(schema: Mapping[str, Any], place: str) -> int:
    size = _part(schema, "size", place)
    if type(size) is not int or not 0 <= size <= LARGEST_INT:
        raise _invalid("the size of a fixed is no number of bytes", f"{place}.size", "write a whole number")
    return size


def _logical(schema: Mapping[str, Any], most_digits: int) -> Logical | None:
    """The logical type of a plain one; None: there is none, or it is invalid and to be ignored.

    https://avro.apache.org/docs/1.12.0/specification/#logical-types
    """
    name, precision, scale = schema.get("logicalType"), schema.get("precision"), schema.get("scale", 0)
    if not isinstance(name, str):
        return None
    if name != "decimal":
        return Logical(name)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision <= most_digits:
        return None
    return Logical(name, precision, scale) if precision else None  # without a digit it is no valid decimal


def _most_digits(size: int) -> int:
    """How many digits each number of so many bytes has room for."""
    return int(math.log10(2) * (8 * size - 1))


def _part(schema: Mapping[str, Any], key: str, place: str) -> Any:
    if key not in schema:
        raise _invalid(f'"{key}" is missing', place, "add it")
    return schema[key]


def _shown(name: str) -> str:
    return repr(name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…")


def _invalid(what: str, place: str, fix: str) -> ValueError:
    shown = place if len(place) <= LONGEST_SHOWN else f"$…{place[1 - LONGEST_SHOWN :]}"
    return ValueError(f"{what} ({shown}): {fix}")
