"""Whether rows fit the target table and the pipe in front of it: checked at a start, and again while a tree runs.

Snowflake drops a field that has no column without counting it, and a pipe may filter or multiply rows. So both are
checked. DESCRIBE needs no warehouse. The role needs:

- for the table SELECT or REFERENCES: https://docs.snowflake.com/en/sql-reference/sql/desc-table;
- for a named pipe OPERATE, MONITOR or OWNERSHIP: https://docs.snowflake.com/en/sql-reference/sql/desc-pipe.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.config.formats.identifier import stored_name
from shared.config.settings import DEFAULT_PIPE, SnowflakeSettings
from shared.errors import (
    ConfigurationError,
    DoesNotExist,
    EvsupError,
    NotPermitted,
    NotSignedIn,
    RowsDoNotFit,
    ServiceUnavailable,
    WorkerCrashed,
    WorkerKilled,
)
from shared.ipc.messages import TableColumns
from shared.snowflake.session import Row
from shared.snowflake.tables import EVSUP, Column, create_pipe_sql, named_pipe, own_columns, role_name, table_name
from supervisor.target.absent import absent_target
from supervisor.target.columns import Misfit, StoredColumn, misfits
from supervisor.target.iceberg import columns_on_iceberg, iceberg_misfits
from supervisor.target.key_columns import evolution_misfits, key_misfits, table_columns, twins
from supervisor.target.pipe.definition import PipeCheck, check_definition
from supervisor.target.session import Session
from supervisor.target.table_kind import created, find_table, is_of_kind, kind_misfits

OPT_OUT = "SNOWFLAKE_CHECK_COLUMNS=false starts without this check."
_PIPES = "docs/target-table.md#a-pipe-of-your-own shows one that evsup can trust."


@dataclass(frozen=True, slots=True)
class TargetCheck:
    """The result for table and pipe. `refuse` raises for what would lose, multiply or reject rows for certain."""

    table: str
    pipe: str
    stored: Sequence[StoredColumn]
    misfits: Sequence[Misfit]
    pipe_check: PipeCheck
    filled: TableColumns
    """The columns that rows fill."""
    pipe_not_visible: ConfigurationError | NotPermitted | None = None
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
        """Raise for a pipe that does not make one row of each event, or whose definition cannot be read."""
        if self.pipe_not_visible:
            raise self.pipe_not_visible
        if self.pipe_check.problems:
            raise RowsDoNotFit(
                f"The pipe {self.pipe} does not load each event as one row with its columns",
                "; ".join(self.pipe_check.problems),
                _PIPES,
            )

    @property
    def doubts(self) -> Iterator[str]:
        """Misfits that may do no harm, one sentence each, for the log of a start."""
        for each in self.misfits:
            yield f"{each.problem}. {each.fix}"

    @property
    def pipe_summary(self) -> str:
        """The pipe, and why its rows can be counted as events, or why not."""
        if self.pipe_not_visible:
            return f"{self.pipe}, whose definition cannot be read: {self.pipe_not_visible.what}"
        if self.pipe_check.problems:
            return f"{self.pipe}, which cannot be trusted: {'; '.join(self.pipe_check.problems)}"
        if self.pipe_check.filled is None:
            return f"{self.pipe}: columns are matched by name"
        return f"{self.pipe}: its definition makes one row of each event"


def check_target(session: Session, settings: SnowflakeSettings) -> TargetCheck:
    """Read the columns and the pipe. Raises when there is no table, or the role may not see its columns."""
    table = table_name(settings)
    stored = stored_columns(session, settings)
    names, not_visible = [column.name for column in stored], None
    try:
        pipe = _check_pipe(session, settings, names)
    except (ConfigurationError, NotPermitted) as error:
        # Kept for `refuse_pipe`. The table is judged before that, as if the pipe filled each column: which it leaves
        # empty is not known.
        pipe, not_visible = PipeCheck(filled=frozenset(names)), error
    row = find_table(session, settings)
    found = _misfits(session, settings, stored, pipe, row)
    own = None if settings.row_format == "columns" else [column.name for column in own_columns(settings)]
    filled = table_columns(stored, pipe, own, created(row or {}))
    return TargetCheck(table, settings.pipe_name, stored, tuple(found), pipe, filled, not_visible)


def _misfits(
    session: Session, settings: SnowflakeSettings, stored: Sequence[StoredColumn], pipe: PipeCheck, row: Row | None
) -> Iterator[Misfit]:
    """Everything that does not fit. `row` is that of SHOW TABLES."""
    own = own_columns(settings)
    yield from kind_misfits(session, settings, row)
    if row and is_of_kind(row, "iceberg"):
        on_iceberg = _column_misfits(settings, columns_on_iceberg(own, stored), stored, pipe)
        yield from iceberg_misfits(on_iceberg, own, stored, settings)
        return
    yield from _column_misfits(settings, own, stored, pipe)
    if settings.evolves:
        yield from evolution_misfits(session, settings, row or {})


def _column_misfits(
    settings: SnowflakeSettings, own: Sequence[Column], stored: Sequence[StoredColumn], pipe: PipeCheck
) -> Iterator[Misfit]:
    table = table_name(settings)
    if settings.row_format == "envelope":
        yield from misfits(stored, own, table, pipe.filled)
        if pipe.filled is None and not pipe.is_case_sensitive:
            there = {column.name for column in own} & {column.name for column in stored}
            yield from twins([column.name for column in stored if column.name.upper() in there], table)
        return
    # Other columns are for keys.
    yield from misfits([column for column in stored if column.name.upper() == EVSUP], own, table, pipe.filled)
    yield from key_misfits(stored, pipe, table)


def with_opt_out(error: EvsupError) -> EvsupError:
    """The error of a check without a result, with the setting that lets a start go without the check."""
    is_of_check = isinstance(error, ServiceUnavailable | NotPermitted | WorkerCrashed | WorkerKilled)
    if not is_of_check or isinstance(error, NotSignedIn):  # rows need the same credential
        return error
    return type(error)(error.what, error.why, f"{error.fix} {OPT_OUT}".strip())


def stored_columns(session: Session, settings: SnowflakeSettings) -> list[StoredColumn]:
    """The table's columns in order. Raises when there is no table, or the role may not see its columns."""
    table = table_name(settings)
    try:
        return [_column(row) for row in session.query(f"DESCRIBE TABLE {table}")]
    except DoesNotExist as error:
        raise _not_visible(session, settings, table, error) from error


def _column(row: Row) -> StoredColumn:
    is_computed = row.get("expression") is not None
    policy = row.get("policy name")
    return StoredColumn(row["name"], row["type"], row["null?"] == "Y", row["default"], is_computed, policy)


def _not_visible(session: Session, settings: SnowflakeSettings, table: str, error: DoesNotExist) -> Exception:
    """Whether there is no table, or the role may only not see its columns.

    Listing a table needs no more than INSERT, describing it does:
    https://docs.snowflake.com/en/user-guide/security-access-control-privileges#table-privileges
    """
    if not _is_listed(session, settings):
        return absent_target(session, settings, error)
    grant = f"GRANT REFERENCES ON TABLE {table} TO ROLE {role_name(settings)};"
    return NotPermitted(f"{table} exists, but the role may not see its columns", error.why, grant)


def _is_listed(session: Session, settings: SnowflakeSettings) -> bool:
    try:
        return find_table(session, settings) is not None
    except DoesNotExist:  # nor is there a schema
        return False


def _check_pipe(session: Session, settings: SnowflakeSettings, stored: Sequence[str]) -> PipeCheck:
    """What the pipe does to rows. A default pipe matches columns by name and does nothing else."""
    name = settings.pipe_name
    if name.upper().endswith(DEFAULT_PIPE):
        own_table, table = stored_name(name[: -len(DEFAULT_PIPE)]), stored_name(settings.table)
        # Names in the SDK's URIs are compared without regard to case.
        is_ours = own_table.upper() == table.upper()
        return PipeCheck(() if is_ours else (f"it is the default pipe of {own_table}, not of {table}",))
    names = (stored_name(settings.database), stored_name(settings.schema), stored_name(settings.table))
    return _check_described(settings, _describe_pipe(session, settings), names, stored)


def _check_described(
    settings: SnowflakeSettings, row: Row, names: tuple[str, str, str], stored: Sequence[str]
) -> PipeCheck:
    check = check_definition(str(row["definition"]), names, stored, own_columns(settings))
    if settings.row_format == "columns" and check.filled is not None:
        check = replace(
            check, problems=(*check.problems, "it selects values, and keys are matched with columns by name")
        )
    if reason := row.get("invalid_reason"):
        return replace(check, problems=(*check.problems, f"Snowflake calls it invalid: {reason}"))
    return check


def _describe_pipe(session: Session, settings: SnowflakeSettings) -> Row:
    pipe = named_pipe(settings)
    grant = f"GRANT OPERATE ON PIPE {pipe} TO ROLE {role_name(settings)};"
    try:
        rows = session.query(f"DESCRIBE PIPE {pipe}")
    except DoesNotExist as error:
        create = create_pipe_sql(settings)
        fix = f"Correct SNOWFLAKE_PIPE, or run {create} If it is there: {grant}"
        raise ConfigurationError(f"There is no pipe {pipe} that the role can see", error.why, fix) from error
    if not rows:
        raise NotPermitted(f"The role may not see the definition of {pipe}", "DESCRIBE PIPE returns nothing", grant)
    return rows[0]
