"""The target table, asked in SQL on the side of the local Snowflake: evsup has no part in the answers."""

from typing import Any

from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE
from scripts.localcloud.snow.admin import SnowAdmin

FULL_NAME = f"{DATABASE}.{SCHEMA}.{TABLE}"
COUNT = f"SELECT count(*) FROM {FULL_NAME}"  # noqa: S608 (a constant)
BY_CARRIER = f"""\
SELECT PAYLOAD->>'carrier' AS carrier, count(*) AS flights,
       count(*) - count(PAYLOAD->>'departure_delay') AS cancelled,
       avg((PAYLOAD->>'departure_delay')::INT) AS delay
FROM {FULL_NAME} GROUP BY carrier ORDER BY flights DESC"""  # noqa: S608


class Table:
    """The rows, for reading."""

    def __init__(self, snow: SnowAdmin) -> None:
        self._snow = snow

    def rows(self) -> int:
        """How many rows are committed."""
        return int(self.query(COUNT)[0][0])

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Answer one SELECT."""
        return self._snow.query(sql)
