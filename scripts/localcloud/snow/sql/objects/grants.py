"""Which privileges a statement needs, and what a role without them is refused with."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from scripts.localcloud.snow.identity.privileges import Privileges
from scripts.localcloud.snow.sql.session import Session
from scripts.localcloud.snow.sql.statements.refusal import (
    insufficient_privileges,
    no_warehouse,
    nowhere,
    unknown_container,
    unknown_object,
)
from scripts.localcloud.snow.sql.statements.rowset import Rowset
from scripts.localcloud.snow.sql.statements.statement import Statement
from scripts.localcloud.snow.tables.warehouse import ERRORS

_ON_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "EVOLVE SCHEMA")
_WRITES: dict[type[exp.Expr], str] = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE"}
# The columns of a SHOW that name the database, and the schema, which a role needs USAGE on to see the row.
_SHOWN_IN = {
    "DATABASES": ("name",),
    "SCHEMAS": ("database_name", "name"),
    "TABLES": ("database_name", "schema_name"),
}


@dataclass(frozen=True)
class Grants:
    """Checks statements against the privileges of the session's role."""

    _privileges: Privileges

    def of(self, name: tuple[str, ...], role: str) -> list[str]:
        """The privileges that a role has on a table."""
        return [each for each in _ON_TABLES if self._privileges.has(role, each, name)]

    def admit(self, session: Session, statement: Statement) -> None:
        """Refuse what the session has no warehouse or its role no privilege for."""
        if statement.kind == "show":  # metadata needs no warehouse
            if not self._sees(session, statement.scope(session.connection.database)):
                raise nowhere()
            if isinstance(statement.tree, exp.Describe) and isinstance(statement.tree.this, exp.Table):
                name = session.full_name(statement.tree.this)
                self._require_usage(session, name)
                self.require_sight(name, session.role, ("SELECT", "REFERENCES"))
            return
        read = [one for one in statement.sources() if one.db.upper() != "INFORMATION_SCHEMA"]
        if session.warehouse is None and (read or statement.kind == "write" or statement.hybrid):
            raise no_warehouse()
        self.permit(session, statement)

    def permit(self, session: Session, statement: Statement) -> None:
        """Refuse what the role has no privilege for."""
        for table in statement.sources():
            if table.db.upper() != "INFORMATION_SCHEMA":
                name = session.full_name(table)
                self._require_usage(session, name)
                privilege = "SELECT ERROR TABLE" if name[-1].endswith(ERRORS) else "SELECT"
                self._require(privilege, "table", (*name[:2], name[-1].removesuffix(ERRORS)), session.role)
        if statement.target is None:
            return
        name = session.full_name(statement.target)
        self._require_usage(session, name)
        if type(statement.tree) in _WRITES:
            self._require(_WRITES[type(statement.tree)], "table", name, session.role)
        elif isinstance(statement.tree, exp.Create):
            kind = "HYBRID TABLE" if statement.hybrid else "VIEW" if statement.is_view else "TABLE"
            self._require(f"CREATE {kind}", "schema", name[:2], session.role)

    def require_sight(self, name: tuple[str, ...], role: str, privileges: Sequence[str]) -> None:
        """Refuse a role that has none of the privileges that let it see an object: to it there is none.

        https://docs.snowflake.com/en/sql-reference/sql/desc-table and …/desc-pipe name them.
        """
        if not any(self._privileges.has(role, privilege, name) for privilege in privileges):
            raise unknown_object(name[-1])

    def seen(self, result: Rowset, objects: str, role: str) -> Rowset:
        """Leave out the rows of SHOW that the role does not see."""
        at = [result.names.index(name) for name in _SHOWN_IN.get(objects, ())]
        rows = [row for row in result.rows if self._has_usage([str(row[column]) for column in at], role)]
        return Rowset(result.names, result.types, rows)

    def _require_usage(self, session: Session, name: tuple[str, ...]) -> None:
        """Refuse a name whose database or schema is not there, or not for a role without USAGE on it.

        https://docs.snowflake.com/en/user-guide/security-access-control-privileges
        """
        for kind, path in (("Database", name[:1]), ("Schema", name[:2])):
            if not self._sees(session, path):
                raise unknown_container(kind, ".".join(path))

    def _sees(self, session: Session, path: Sequence[str]) -> bool:
        return not path or (session.connection.holds(path) and self._has_usage(path, session.role))

    def _has_usage(self, path: Sequence[str], role: str) -> bool:
        return all(self._privileges.has(role, "USAGE", tuple(path[:parts])) for parts in range(1, len(path) + 1))

    def _require(self, privilege: str, kind: str, name: tuple[str, ...], role: str) -> None:
        if not self._privileges.has(role, privilege, name):
            raise insufficient_privileges(kind, name[-1])
