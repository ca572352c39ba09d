"""An outage of Postgres is logged once by psycopg's pool, however often it tries to connect."""

import logging

from shared.control.postgres.pool_log import AGAIN_S, Unrepeated
from tests.unit.shared.control.stores import Clock

REFUSED, TIMED_OUT = "connection refused", "timeout expired"


def passed(clock: Clock, filtering: Unrepeated, message: str, *values: object) -> bool:
    clock.now_s += 1
    return filtering.filter(logging.LogRecord("psycopg.pool", logging.WARNING, "", 0, message, values, None))


def test_the_same_failure_is_logged_once_and_another_one_again() -> None:
    clock = Clock()
    filtering = Unrepeated(clock)

    def connect(reason: str) -> bool:
        return passed(clock, filtering, "error connecting in %r: %s", "evsup", reason)

    assert [connect(REFUSED) for _ in range(100)].count(True) == 1
    assert [connect(TIMED_OUT), connect(TIMED_OUT), connect(REFUSED)] == [True, False, True]


def test_connections_that_are_discarded_one_after_another_are_one_failure() -> None:
    clock = Clock()
    filtering = Unrepeated(clock)
    lost = [f"<Connection [BAD] at 0x7f{n}a0>" for n in range(3)]
    assert [passed(clock, filtering, "discarding: %s", each) for each in lost] == [True, False, False]


def test_two_messages_that_take_turns_are_each_logged_once() -> None:
    clock = Clock()
    filtering = Unrepeated(clock)
    rounds = [
        (passed(clock, filtering, "error connecting: %s", REFUSED), passed(clock, filtering, "gave up after %s s", 5.0))
        for _ in range(3)
    ]
    assert rounds == [(True, True), (False, False), (False, False)]


def test_a_later_outage_is_logged_although_it_is_the_same() -> None:
    clock = Clock()
    filtering = Unrepeated(clock)
    assert passed(clock, filtering, REFUSED)
    clock.now_s += AGAIN_S
    assert passed(clock, filtering, REFUSED)


def test_the_pools_of_psycopg_log_so() -> None:
    import shared.control.postgres.database  # noqa: F401 (it is what sets the log)

    assert any(isinstance(each, Unrepeated) for each in logging.getLogger("psycopg.pool").filters)
