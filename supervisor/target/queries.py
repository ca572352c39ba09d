"""What the checks of the target need of a SQL session."""

from typing import Protocol

from shared.snowflake.session import Row


class Queries(Protocol):
    """As `SqlSession`. Blocks and raises as that does."""

    def query(self, statement: str, /) -> list[Row]:
        """The rows of a statement."""
