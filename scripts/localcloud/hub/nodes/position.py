"""Where a receiver starts: the selector in its filter, resolved against the partition.

The service's texts for a position beyond the end:
https://github.com/nicolgit/azure-firewall-mon/issues/21 (sequence number),
https://github.com/Azure/azure-event-hubs-python/issues/13 (offset, with the condition).
"""

import re
from dataclasses import dataclass
from enum import Enum

from scripts.localcloud.hub.connections.link import LinkRefusedError
from scripts.localcloud.hub.entity.partition import Partition
from scripts.localcloud.hub.wire.performatives import Fault

FILTER = "apache.org:selector-filter:string"
_LATEST = "@latest"
_SELECTOR = re.compile(r"\s*amqp\.annotation\.(x-opt-[a-z-]+)\s*(>=?)\s*'(@latest|-?\d+)'\s*")


class Unit(Enum):
    """What a selector compares."""

    OFFSET = "x-opt-offset"
    SEQUENCE_NUMBER = "x-opt-sequence-number"
    ENQUEUED_TIME = "x-opt-enqueued-time"


@dataclass(frozen=True, slots=True)
class Position:
    """A starting position; `value` is None for the end of the partition."""

    unit: Unit
    value: int | None
    inclusive: bool


class PositionError(LinkRefusedError):
    """A position the service refuses."""

    def __init__(self, description: str) -> None:
        super().__init__(Fault("com.microsoft:argument-error", description))


BEGINNING = Position(Unit.OFFSET, -1, inclusive=False)


def parse(selector: str) -> Position:
    """Read a selector such as `amqp.annotation.x-opt-sequence-number > '17'`."""
    match = _SELECTOR.fullmatch(selector)
    if match is None or match[1] not in {unit.value for unit in Unit}:
        raise PositionError(f'The selector "{selector}" is not a position in a partition.')
    value = None if match[3] == _LATEST else int(match[3])
    return Position(Unit(match[1]), value, inclusive=match[2] == ">=")


def resolve(position: Position, partition: Partition) -> int:
    """Return the cursor to read from.

    Older than the oldest retained event is the oldest retained event; beyond the newest is refused, because a client
    that knows such a number knows another hub.
    """
    if position.value is None:
        return partition.end
    if position.unit is Unit.ENQUEUED_TIME:
        return partition.after_time(position.value, inclusive=position.inclusive)
    if position.unit is Unit.OFFSET:
        last = int(partition.last_offset)
        _refuse_beyond("offset", position.value, last)
        return partition.after_offset(position.value, inclusive=position.inclusive)
    _refuse_beyond("sequence number", position.value, partition.last_sequence_number)
    return partition.after_sequence_number(position.value, inclusive=position.inclusive)


def _refuse_beyond(what: str, value: int, last: int) -> None:
    if value > last:
        raise PositionError(f"The supplied {what} '{value}' is invalid. The last {what} in the system is '{last}'")
