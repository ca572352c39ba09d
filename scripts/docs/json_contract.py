"""Write docs/json.md's tables from the structs that commands print, or check that they are up to date.

What a field means is the text below it in the struct. Without `--write` exit code 1 says that the page differs.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

from msgspec import Struct
from msgspec import inspect as types

from scripts.docs.generated import ROOT, between, run, text_of
from supervisor.commands.check import Checks
from supervisor.commands.config import Configuration
from supervisor.commands.verify import Proofs
from supervisor.status.group import GroupStatus
from supervisor.status.http.overview import Overview
from supervisor.status.model import TreeStatus

BEGIN, END = "<!-- json:begin -->", "<!-- json:end -->"
DOCUMENTS: dict[str, type[Struct]] = {
    "evsup status --json": TreeStatus,
    "evsup status --all --json": GroupStatus,
    "evsup check --json": Checks,
    "evsup verify --json": Proofs,
    "evsup config --json": Configuration,
    "/overview": Overview,
}
OURS = ("shared", "supervisor")
SCALARS: dict[type[types.Type], str] = {
    types.IntType: "integer",
    types.FloatType: "number",
    types.StrType: "string",
    types.BoolType: "boolean",
    types.NoneType: "null",
}


def with_tables(page: str) -> str:
    """`page` with the tables between its markers: one for each document, and one for each kind of object in them."""
    return between(page, BEGIN, END, "\n".join([*_tables(), ""]))


def documents(root: Path) -> Iterator[tuple[Path, str]]:
    """The one page."""
    page = root / "docs" / "json.md"
    yield page, with_tables(text_of(page))


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check; the exit code."""
    return run("scripts.docs.json_contract", __doc__, documents, arguments, root)


def meanings(struct: type[Struct]) -> dict[str, str]:
    """The text below each field in the struct and in those that it extends."""
    found: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        if cls.__module__.partition(".")[0] in OURS:
            body = ast.parse(dedent(inspect.getsource(cls))).body[0]
            assert isinstance(body, ast.ClassDef)
            found |= dict(_documented(body.body))
    return found


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, below in pairwise(body):
        match statement, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())


def _tables() -> Iterator[str]:
    shown: list[type[Struct]] = []
    for command, struct in DOCUMENTS.items():
        yield from ("", f"## `{command}`", *_table(struct))
        for other in _within(struct):
            if other not in shown:
                shown.append(other)
                yield from ("", f"### {other.__name__}", *_table(other))


def _table(struct: type[Struct]) -> Iterator[str]:
    yield from (
        "",
        _sentence((struct.__doc__ or "").partition("\n\n")[0]),
        "",
        "| Field | Type | Meaning |",
        "|---|---|---|",
    )
    said = meanings(struct)
    for field in _fields(struct):
        yield f"| `{field.encode_name}` | {_named(field.type)} | {_sentence(said[field.name])} |"


def _within(struct: type[Struct]) -> Iterator[type[Struct]]:
    """Kinds of objects in the fields of a struct, however deep, each after the one that it is in."""
    for field in _fields(struct):
        for each in _structs(field.type):
            yield each
            yield from _within(each)


def _fields(struct: type[Struct]) -> tuple[types.Field, ...]:
    kind = types.type_info(struct)
    assert isinstance(kind, types.StructType | types.DataclassType)
    return kind.fields


def _structs(kind: types.Type) -> Iterator[type[Struct]]:
    match kind:
        case types.StructType(cls=cls) | types.DataclassType(cls=cls):
            yield cls
        case types.VarTupleType(item_type=item) | types.DictType(value_type=item):
            yield from _structs(item)


def _named(kind: types.Type) -> str:
    match kind:
        case types.StructType(cls=cls) | types.DataclassType(cls=cls):
            return f"[{cls.__name__}](#{cls.__name__.lower()})"
        case types.VarTupleType(item_type=item):
            return f"array of {_named(item)}"
        case types.DictType(value_type=item):
            return f"object of {_named(item)}"
        case types.LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in sorted(map(str, values)))
        case types.UnionType(types=members):
            return " or ".join(map(_named, members))
        case types.AnyType():
            return "anything"
    return SCALARS[type(kind)]


def _sentence(text: str) -> str:
    """As it stands in a cell; None is null in JSON."""
    return " ".join(text.split()).replace("None:", "null:").replace(" None ", " null ").replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
