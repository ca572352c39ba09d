"""A SQL session, as far as the checks of the target need one."""

from typing import Protocol

from shared.snowflake.session import Row


class Session(Protocol):
    """As `SqlSession`. Blocks and raises as that does."""

    def query(self, statement: str, /) -> list[Row]:
        """The rows of a statement."""
