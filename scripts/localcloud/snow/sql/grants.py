"""What a role may do. It may do everything, until a privilege is revoked from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .refusal import insufficient_privileges

if TYPE_CHECKING:
    from .statement import Name


@dataclass
class Grants:
    """The privileges that were revoked: of a role, on a table `DB.SCHEMA.TABLE` or on a schema `DB.SCHEMA`."""

    _revoked: set[tuple[str, str, str]] = field(default_factory=set)

    def revoke(self, privilege: str, securable: str, role: str) -> None:
        """Take a privilege such as SELECT or CREATE HYBRID TABLE away."""
        self._revoked.add((privilege.upper(), securable.upper(), role.upper()))

    def grant(self, privilege: str, securable: str, role: str) -> None:
        """Give a privilege back."""
        self._revoked.discard((privilege.upper(), securable.upper(), role.upper()))

    def require_on_table(self, privilege: str, table: Name, role: str) -> None:
        """Refuse a role that lacks a privilege on a table."""
        if (privilege, ".".join(table).upper(), role) in self._revoked:
            raise insufficient_privileges("table", table[-1])

    def require_on_schema(self, privilege: str, table: Name, role: str) -> None:
        """Refuse a role that lacks a privilege on the schema of a table."""
        if (privilege, ".".join(table[:2]).upper(), role) in self._revoked:
            raise insufficient_privileges("schema", table[1])
