"""Where a receiver of the local Event Hubs begins."""

import pytest

from scripts.localcloud.hub.entity.partition import FIRST_OFFSET
from scripts.localcloud.hub.nodes import position
from tests.unit.scripts.localcloud.hub.logs import partition


@pytest.mark.parametrize(
    ("selector", "cursor"),
    [
        ("amqp.annotation.x-opt-offset > '-1'", 1),
        (f"amqp.annotation.x-opt-offset > '{FIRST_OFFSET}'", 1),
        (f"amqp.annotation.x-opt-offset >= '{FIRST_OFFSET}'", 1),
        ("amqp.annotation.x-opt-offset > '@latest'", 4),
        ("amqp.annotation.x-opt-sequence-number > '-1'", 1),
        ("amqp.annotation.x-opt-sequence-number > '0'", 1),
        ("amqp.annotation.x-opt-sequence-number > '1'", 2),
        ("amqp.annotation.x-opt-sequence-number >= '1'", 1),
        ("amqp.annotation.x-opt-sequence-number > '3'", 4),
        ("amqp.annotation.x-opt-enqueued-time > '200'", 3),
        ("amqp.annotation.x-opt-enqueued-time >= '200'", 1),
        ("amqp.annotation.x-opt-enqueued-time > '9000'", 4),
    ],
)
def test_a_position_is_found_in_what_is_retained(selector: str, cursor: int) -> None:
    log = partition(100, 200, 200, 300)
    log.trim(1)
    assert position.resolve(position.parse(selector), log) == cursor


@pytest.mark.parametrize(
    "selector",
    [
        "amqp.annotation.x-opt-sequence-number > '4'",
        "amqp.annotation.x-opt-sequence-number >= '4'",
        "amqp.annotation.x-opt-offset > '99999999999'",
        "amqp.annotation.x-opt-offset > 'abc'",
        "amqp.annotation.x-opt-publisher > '1'",
        "",
    ],
)
def test_a_position_that_cannot_be_is_refused(selector: str) -> None:
    with pytest.raises(position.PositionError):
        position.resolve(position.parse(selector), partition(100, 200, 200, 300))
