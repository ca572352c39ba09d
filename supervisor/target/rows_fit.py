"""Whether rows fit the target table and the pipe before it, at a start and for as long as a tree runs.

Snowflake drops a field that has no column and counts nothing, and a pipe may filter or multiply rows, so both are
looked at. DESCRIBE needs no warehouse, and of the role:

- for the table SELECT or REFERENCES: https://docs.snowflake.com/en/sql-reference/sql/desc-table;
- for a named pipe OPERATE, MONITOR or OWNERSHIP: https://docs.snowflake.com/en/sql-reference/sql/desc-pipe.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.config.formats.identifier import quoted, stored_name
from shared.config.settings import DEFAULT_PIPE, SnowflakeSettings
from shared.errors import (
    ConfigurationError,
    DoesNotExist,
    EvsupError,
    NotPermitted,
    RowsDoNotFit,
    ServiceUnavailable,
    WorkerCrashed,
)
from shared.snowflake.session import Row, SqlSession
from shared.snowflake.tables import envelope_columns, role_name, table_name
from supervisor.target.columns import Misfit, Stored, misfits
from supervisor.target.pipe_definition import Judged, judged

_NO_TABLE = (
    "Run `evsup init --target`, or correct SNOWFLAKE_DATABASE, _SCHEMA and _TABLE, or grant SNOWFLAKE_ROLE their use."
)
WITHOUT = "SNOWFLAKE_CHECK_COLUMNS=false starts without this look."
_PIPES = "docs/target-table.md#a-pipe-of-your-own shows one that evsup can trust."


@dataclass(frozen=True, slots=True)
class Fit:
    """What was found. `refuse` raises what would lose, multiply or reject rows; `doubts` may go well."""

    table: str
    pipe: str
    columns: int
    misfits: Sequence[Misfit]
    judged: Judged
    unseen: ConfigurationError | NotPermitted | None = None
    """Why the pipe's definition could not be read."""

    def refuse(self) -> None:
        """Raise `RowsDoNotFit` for the table, then for the pipe."""
        self.refuse_table()
        self.refuse_pipe()

    def refuse_table(self) -> None:
        """Raise for columns that are missing or reject every row."""
        if certain := [each for each in self.misfits if not each.is_doubtful]:
            problems = "; ".join(each.problem for each in certain)
            fixes = " ".join(dict.fromkeys(each.fix for each in certain))
            raise RowsDoNotFit(f"{self.table} does not take evsup's rows", problems, fixes)

    def refuse_pipe(self) -> None:
        """Raise for a pipe that is not one row an event, or that cannot be seen."""
        if self.unseen:
            raise self.unseen
        if self.judged.faults:
            raise RowsDoNotFit(
                f"The pipe {self.pipe} does not load each event as one row with its columns",
                "; ".join(self.judged.faults),
                _PIPES,
            )

    @property
    def doubts(self) -> Iterator[str]:
        """One sentence each, for the log of a start."""
        for each in self.misfits:
            yield f"{each.problem}. {each.fix}"

    @property
    def trust(self) -> str:
        """Why rows of the pipe can be counted as events."""
        if self.unseen:
            return f"{self.pipe}, which nobody can see: {self.unseen.what}"
        if self.judged.faults:
            return f"{self.pipe}, which cannot be trusted: {'; '.join(self.judged.faults)}"
        how = (
            "columns are matched by name" if self.judged.fills is None else "its definition makes one row of each event"
        )
        return f"{self.pipe}: {how}"


def look(session: SqlSession, settings: SnowflakeSettings) -> Fit:
    """Ask for the columns and the pipe. Raises when the role may not see the columns, or there is no table."""
    table = table_name(settings)
    stored = _stored(session, settings, table)
    names, unseen = [column.name for column in stored], None
    try:
        pipe = _judged(session, settings, names)
    except (ConfigurationError, NotPermitted) as error:
        pipe, unseen = Judged(fills=frozenset(names)), error
    found = misfits(stored, envelope_columns(), table, pipe.fills)
    return Fit(table, settings.pipe_name, len(stored), tuple(found), pipe, unseen)


def or_without(error: EvsupError) -> EvsupError:
    """The error of a look that found nothing out, with the setting that a start can do without it by."""
    if not isinstance(error, ServiceUnavailable | NotPermitted | WorkerCrashed):
        return error
    return type(error)(error.what, error.why, f"{error.fix} {WITHOUT}".strip())


def _stored(session: SqlSession, settings: SnowflakeSettings, table: str) -> list[Stored]:
    try:
        return [_column(row) for row in session.query(f"DESCRIBE TABLE {table}")]
    except DoesNotExist as error:
        raise _not_described(session, settings, table, error) from error


def _column(row: Row) -> Stored:
    return Stored(row["name"], row["type"], row["null?"] == "Y", row["default"], row.get("expression") is not None)


def _not_described(session: SqlSession, settings: SnowflakeSettings, table: str, error: DoesNotExist) -> Exception:
    """To describe a table takes more than INSERT, to list it does not.

    https://docs.snowflake.com/en/user-guide/security-access-control-privileges#table-privileges
    """
    if listed(session, settings) is None:
        return ConfigurationError(f"There is no table {table}", error.why, _NO_TABLE)
    grant = f"GRANT REFERENCES ON TABLE {table} TO ROLE {role_name(settings)};"
    return NotPermitted(f"{table} is there, and the role may not see its columns", error.why, grant)


def listed(session: SqlSession, settings: SnowflakeSettings) -> Row | None:
    """The table as SHOW TABLES has it."""
    database, schema, table = (stored_name(each) for each in (settings.database, settings.schema, settings.table))
    rows = session.query(f"SHOW TABLES IN SCHEMA {quoted(database)}.{quoted(schema)}")
    return next((row for row in rows if row["name"] == table), None)


def _judged(session: SqlSession, settings: SnowflakeSettings, stored: Sequence[str]) -> Judged:
    """What the pipe does to rows; a default pipe matches columns by name and does nothing else."""
    name = settings.pipe_name
    if name.upper().endswith(DEFAULT_PIPE):
        fed, table = stored_name(name[: -len(DEFAULT_PIPE)]), stored_name(settings.table)
        # Names in the SDK's URIs are compared without regard to case.
        faults = () if fed.upper() == table.upper() else (f"it is the default pipe of {fed}, not of {table}",)
        return Judged(faults)
    names = (stored_name(settings.database), stored_name(settings.schema), stored_name(settings.table))
    return _judged_by(_described_pipe(session, settings), names, stored)


def _judged_by(row: Row, names: tuple[str, str, str], stored: Sequence[str]) -> Judged:
    found = judged(str(row["definition"]), names, stored, envelope_columns())
    if reason := row.get("invalid_reason"):
        return Judged((*found.faults, f"Snowflake calls it invalid: {reason}"), found.fills)
    return found


def _described_pipe(session: SqlSession, settings: SnowflakeSettings) -> Row:
    database, schema = (quoted(stored_name(each)) for each in (settings.database, settings.schema))
    pipe = f"{database}.{schema}.{quoted(stored_name(settings.pipe_name))}"
    grant = f"GRANT OPERATE ON PIPE {pipe} TO ROLE {role_name(settings)};"
    try:
        rows = session.query(f"DESCRIBE PIPE {pipe}")
    except DoesNotExist as error:
        fix = f"Correct SNOWFLAKE_PIPE, or create it (docs/target-table.md#a-pipe-of-your-own), or {grant}"
        raise ConfigurationError(f"There is no pipe {pipe} that the role can see", error.why, fix) from error
    if not rows:
        raise NotPermitted(f"The role may not see the definition of {pipe}", "DESCRIBE PIPE says nothing", grant)
    return rows[0]
