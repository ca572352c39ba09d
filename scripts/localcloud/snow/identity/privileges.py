"""What roles may do. A role may do everything, until a privilege is revoked from it.

https://docs.snowflake.com/en/user-guide/security-access-control-privileges
"""

from dataclasses import dataclass, field


@dataclass
class Privileges:
    """What was revoked: privilege, object and role; an object is `DB`, `DB.SCHEMA`, or a table or pipe in it."""

    _revoked: set[tuple[str, str, str]] = field(default_factory=set)

    def revoke(self, privilege: str, securable: str, role: str) -> None:
        """Take a privilege such as SELECT or CREATE HYBRID TABLE away."""
        self._revoked.add((privilege.upper(), securable.upper(), role.upper()))

    def grant(self, privilege: str, securable: str, role: str) -> None:
        """Give a privilege back."""
        self._revoked.discard((privilege.upper(), securable.upper(), role.upper()))

    def restore(self) -> None:
        """Give every privilege back."""
        self._revoked.clear()

    def has(self, role: str, privilege: str, name: tuple[str, ...]) -> bool:
        """Whether a role has a privilege on what has this name."""
        return (privilege, ".".join(name).upper(), role.upper()) not in self._revoked
