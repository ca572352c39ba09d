"""The SQL that moves one request's lines into a table, and finds the line that does not fit.

One statement reads the NDJSON text with `json_transform`; columns are matched by name, as a rule without regard to case
(`MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE` of the default pipe), unknown keys are ignored, absent ones are NULL.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.localcloud.snow.tables.column import Column, LoadOptions

# `SHAPES` and `Load.stage` take the text of a request as their one parameter; a line is an object or it is broken.
_LINES = "SELECT x FROM (SELECT unnest(string_split(?, chr(10))) AS x) WHERE x <> ''"
_OBJECTS = f"SELECT x FROM ({_LINES}) WHERE TRY(json_type(x)) = 'OBJECT'"  # noqa: S608

SHAPES = f"""
    SELECT keys, count(*)
    FROM (SELECT CASE WHEN ascii(x) = 123 THEN TRY(json_keys(x)) END AS keys FROM ({_LINES}))
    GROUP BY keys
"""  # noqa: S608
"""Gives each set of top-level keys in the text with its number of lines; NULL keys are lines that are no object."""


@dataclass(frozen=True)
class Load:
    """The statements for one table and one spelling of its columns in the text."""

    target: str
    columns: Sequence[Column]
    spellings: Sequence[tuple[str, ...]]
    broken: bool
    options: LoadOptions

    @property
    def stage(self) -> str:
        """Convert every line into a temporary table: `r…` what it says, `v…` what it becomes, and whether it fits.

        A filter on the conversion itself would be pushed below it and convert once more for each column (8 × slower).
        """
        fits = " AND ".join(self._fit(i) for i in range(len(self.columns)))
        return f"CREATE OR REPLACE TEMP TABLE stage AS SELECT *, {fits} AS fits FROM ({self._typed()})"  # noqa: S608

    @property
    def insert(self) -> str:
        """Insert the staged lines that fit."""
        values = ", ".join(f"v{i}" for i in range(len(self.columns)))
        return f"INSERT INTO {self.target} SELECT {values} FROM stage WHERE fits"  # noqa: S608

    @property
    def misfit(self) -> str:
        """Give, for the first staged line that does not fit, a pair for each column: its text and whether it fits."""
        pairs = ", ".join(f"r{i}::VARCHAR, {self._fit(i)}" for i in range(len(self.columns)))
        return f"SELECT {pairs} FROM stage WHERE NOT fits LIMIT 1"  # noqa: S608

    @property
    def misfits(self) -> str:
        """Give every line that does not fit, with its pairs as `misfit` does; the text is its parameter once more."""
        pairs = ", ".join(f"r{i}::VARCHAR, {self._fit(i)}" for i in range(len(self.columns)))
        fits = " AND ".join(self._fit(i) for i in range(len(self.columns)))
        return f"SELECT x, {pairs} FROM ({self._typed('x, ')}) WHERE NOT ({fits})"  # noqa: S608

    def _typed(self, line: str = "") -> str:
        values = ", ".join(f"r{i}, {one.value(f'r{i}', self.options)} AS v{i}" for i, one in enumerate(self.columns))
        return f"SELECT {line}{values} FROM ({self._raw(line)})"  # noqa: S608

    def _raw(self, line: str) -> str:
        shape = {names[0]: one.json_target for one, names in zip(self.columns, self.spellings, strict=True) if names}
        reads = ", ".join(
            f"{self._read(one, names)} AS r{i}"
            for i, (one, names) in enumerate(zip(self.columns, self.spellings, strict=True))
        )
        source = _OBJECTS if self.broken else _LINES
        if not shape:
            return f"SELECT {line}{reads} FROM ({source})"  # noqa: S608
        transformed = f"SELECT x, json_transform(x, {_literal(json.dumps(shape))}) AS o FROM ({source})"  # noqa: S608
        return f"SELECT {line}{reads} FROM ({transformed})"  # noqa: S608

    def _read(self, one: Column, names: tuple[str, ...]) -> str:
        """Read the first spelling from the transformed struct and, rarely needed, the others from the line."""
        if not names:
            return f"NULL::{one.json_target}"
        texts = [f"struct_extract(o, {_literal(names[0])})"]
        # An explicit null in a VARIANT column is a JSON null, only an absent key is SQL's NULL, and a struct shows no
        # difference: https://docs.snowflake.com/en/user-guide/semistructured-considerations#null-values, seen on the
        # service in https://github.com/estuary/connectors/issues/4936. In any other column a null is SQL's.
        from_line = names if one.kind == "VARIANT" else names[1:]
        texts += [_from_line(one, name) for name in from_line]
        return texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"

    def _fit(self, i: int) -> str:
        return f"(r{i} IS NULL OR v{i} IS NOT NULL)" if self.columns[i].nullable else f"v{i} IS NOT NULL"


def _from_line(one: Column, name: str) -> str:
    path = _literal("$." + json.dumps(name))
    if one.kind == "VARIANT":
        return f"(x -> {path})"
    return f"nullif(x -> {path}, 'null')" if one.json_target == "JSON" else f"(x ->> {path})"


def plan(
    target: str,
    columns: Sequence[Column],
    shapes: Sequence[tuple[Sequence[str] | None, int]],
    options: LoadOptions,
) -> Load:
    """Make the statements for the key sets that `SHAPES` found."""
    seen = dict.fromkeys(key for keys, _ in shapes if keys is not None for key in keys)
    spellings, is_free = [], not options.is_case_sensitive
    for one in columns:
        alike = [key for key in seen if key == one.name or (is_free and key.upper() == one.name.upper())]
        spellings.append(tuple(sorted(alike, key=lambda key: key != one.name)))
    broken = any(keys is None for keys, _ in shapes)
    return Load(target, columns, spellings, broken, options)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
