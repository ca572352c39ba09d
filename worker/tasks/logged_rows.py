"""What Snowflake's error table has of rejected rows: the reason of each, and the row of an event that left the hub.

A table has one with ERROR_LOGGING = TRUE, and the role reads it with SELECT ERROR TABLE. Without it the quarantine has
one reason for all. https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-error-tables
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from shared.errors import Bug, DoesNotExist, NotPermitted, Unsupported
from shared.log import logger
from shared.snowflake.quarantine_table import Quarantine, Rejected

log = logger.get_logger()

_FIX = "ALTER TABLE … SET ERROR_LOGGING = TRUE and GRANT SELECT ERROR TABLE: docs/quarantine.md#the-reason-of-each-row"


def logged_rows(tables: Quarantine, partition_id: str, numbers: Sequence[int], channel: str) -> Mapping[int, Rejected]:
    """By number, what the error table has of these events. What it does not have is in the log, and no error.

    A row without a time cannot be told from one of another event, and does not count.

    Blocks for a query. Raises when Snowflake is not available.
    """
    try:
        logged = tables.logged(partition_id, range(numbers[0], numbers[-1] + 1), channel)
    # Which number Snowflake gives for a table that logs no errors is not documented, so a Bug is expected, too.
    except (DoesNotExist, NotPermitted, Unsupported, Bug) as error:
        log.warning("error_table_not_read", reason=error.why, fix=_FIX)
        return {}
    found = {number: logged[number] for number in numbers if number in logged and _time(logged[number])}
    if len(found) < len(numbers):
        log.warning("error_table_incomplete", rows=len(numbers), found=len(found))
    return found


def with_reasons(events: Sequence[Rejected], logged: Mapping[int, Rejected], *, is_mapped: bool) -> Iterator[Rejected]:
    """The events, each with its own logged reason. A logged row of another event with its number does not count.

    A mapper is not called again, so with `is_mapped` the row is the logged one, too. Without, it is the one that was
    made again: a VARIANT may have rounded the numbers of the logged one.
    """
    for event in events:
        row = logged.get(event.sequence_number)
        if row is None or _time(row) != _time(event):
            yield event
        elif is_mapped:
            yield msgspec.structs.replace(event, reason=row.reason, row_json=row.row_json)
        else:
            yield msgspec.structs.replace(event, reason=row.reason)


def _time(event: Rejected) -> datetime | None:
    try:
        return datetime.fromisoformat(event.enqueued_time) if event.enqueued_time else None
    except ValueError:  # anybody may insert into the table, and a row that failed is in the error table, too
        return None
