"""Transactions and row locks of the local Snowflake, as several sessions of the official connector see them."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from tests.harness.snow.sql import LIMIT_S, SnowSql, ask, count, number, refusal, until

CLAIMANTS, EPOCHS = 20, range(1, 6)
LOCK_TIMEOUT = (625, "57014")
DEADLOCK = (634, "40001")
TAKE = "UPDATE CLAIM SET OWNER = 'b', EPOCH = EPOCH + 1 WHERE P = '0'"
SEEN = "SELECT OWNER, EPOCH FROM CLAIM WHERE P = '0'"


@pytest.fixture
def other(snow_sql: SnowSql, claims: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    """A second session that waits long for a lock."""
    with snow_sql.connect() as connection:
        yield connection


@pytest.fixture
def impatient(snow_sql: SnowSql, claims: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    """A session that waits for no lock."""
    with snow_sql.connect(session_parameters={"HYBRID_TABLE_LOCK_TIMEOUT": 0, "LOCK_TIMEOUT": 0}) as connection:
        yield connection


class Waiting:
    """A statement that runs on a thread of its own, because it is to wait."""

    def __init__(self, connection: SnowflakeConnection, sql: str, ask: Callable[..., Any] = count) -> None:
        self.result: Any = None
        self._thread = threading.Thread(target=self._run, args=(connection, sql, ask))
        self._thread.start()

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> Any:
        self._thread.join(LIMIT_S)
        assert not self.waits
        return self.result

    def _run(self, connection: SnowflakeConnection, sql: str, ask: Callable[..., Any]) -> None:
        try:
            self.result = ask(connection, sql)
        except snowflake.connector.errors.Error as exc:
            self.result = exc


def test_what_a_transaction_wrote_is_seen_by_itself_and_by_others_after_its_commit(
    claims: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    ask(claims, "BEGIN")
    count(claims, TAKE)
    count(claims, "INSERT INTO CLAIM (P) VALUES ('2')")
    assert (ask(claims, SEEN), ask(other, SEEN)) == ([("b", 2)], [("a", 1)])
    ask(claims, "COMMIT")
    assert ask(other, SEEN) == [("b", 2)]
    assert ask(other, "SELECT COUNT(*) FROM CLAIM") == [(3,)]


def test_a_rollback_leaves_nothing(claims: SnowflakeConnection, other: SnowflakeConnection) -> None:
    claims.autocommit(False)
    count(claims, TAKE)
    count(claims, "DELETE FROM CLAIM WHERE P = '1'")
    claims.rollback()
    assert ask(other, "SELECT COUNT(*), MAX(EPOCH) FROM CLAIM") == [(2, 1)]
    claims.autocommit(True)


def test_a_statement_that_fails_leaves_its_transaction_open(
    claims: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    ask(claims, "BEGIN")
    count(claims, TAKE)
    assert refusal(claims, "INSERT INTO CLAIM (P) VALUES ('1')")[0] == 200001
    ask(claims, "COMMIT")
    assert ask(other, SEEN) == [("b", 2)]


def test_a_definition_commits_what_is_open(claims: SnowflakeConnection, other: SnowflakeConnection) -> None:
    ask(claims, "BEGIN")
    count(claims, TAKE)
    ask(claims, "CREATE TABLE ASIDE (A NUMBER)")
    assert ask(other, SEEN) == [("b", 2)]


def test_a_row_that_a_transaction_wrote_is_waited_for_and_then_read_anew(
    claims: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    ask(claims, "BEGIN")
    count(claims, TAKE)
    loser = Waiting(other, "UPDATE CLAIM SET OWNER = 'c', EPOCH = EPOCH + 1 WHERE P = '0' AND EPOCH = 1")
    assert count(claims, "UPDATE CLAIM SET SEEN = SYSDATE() WHERE P = '0' AND OWNER = 'b'") == 1
    assert loser.waits
    ask(claims, "COMMIT")
    assert loser.end() == 0, "the condition is tried on what was committed meanwhile"
    assert ask(other, SEEN) == [("b", 2)]


def test_another_row_is_free(claims: SnowflakeConnection, impatient: SnowflakeConnection) -> None:
    ask(claims, "BEGIN")
    count(claims, TAKE)
    assert count(impatient, "UPDATE CLAIM SET OWNER = 'c' WHERE P = '1'") == 1
    assert count(impatient, "INSERT INTO CLAIM (P) VALUES ('2')") == 1
    assert refusal(impatient, "DELETE FROM CLAIM WHERE P = '0'") == LOCK_TIMEOUT
    ask(claims, "ROLLBACK")
    assert count(impatient, "DELETE FROM CLAIM WHERE P = '0'") == 1


def test_a_key_that_a_transaction_inserted_is_waited_for(
    claims: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    insert = "INSERT INTO CLAIM (P, OWNER) SELECT '9', 'x'"
    for ending, outcome in (("ROLLBACK", 1), ("COMMIT", 200001)):
        ask(claims, "BEGIN")
        count(claims, insert)
        second = Waiting(other, insert)
        until(lambda: ask(claims, "SELECT COUNT(*) FROM CLAIM WHERE P = '9'") == [(1,)])
        assert second.waits
        ask(claims, ending)
        result = second.end()
        assert (result.errno if isinstance(result, ProgrammingError) else result) == outcome
        count(other, "DELETE FROM CLAIM WHERE P = '9'")


def test_a_standard_table_is_locked_as_a_whole_and_takes_rows_all_the_same(
    claims: SnowflakeConnection, impatient: SnowflakeConnection
) -> None:
    ask(claims, "CREATE TABLE PLAIN (A NUMBER)")
    count(claims, "INSERT INTO PLAIN VALUES (1), (2)")
    ask(claims, "BEGIN")
    count(claims, "DELETE FROM PLAIN WHERE A = 1")
    assert count(impatient, "INSERT INTO PLAIN VALUES (3)") == 1
    assert refusal(impatient, "UPDATE PLAIN SET A = 9 WHERE A = 2") == LOCK_TIMEOUT
    ask(claims, "COMMIT")
    assert ask(impatient, "SELECT SUM(A) FROM PLAIN") == [(5,)]


def test_a_wait_ends_after_the_lock_timeout(claims: SnowflakeConnection, other: SnowflakeConnection) -> None:
    ask(other, "ALTER SESSION SET HYBRID_TABLE_LOCK_TIMEOUT = 1")
    ask(claims, "BEGIN")
    count(claims, TAKE)
    assert refusal(other, TAKE) == LOCK_TIMEOUT
    ask(other, "ALTER SESSION SET HYBRID_TABLE_LOCK_TIMEOUT = 60, STATEMENT_TIMEOUT_IN_SECONDS = 1")
    assert refusal(other, TAKE) == (630, "57014")


def test_of_two_that_wait_for_each_other_the_later_is_refused(
    claims: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    for connection, partition in ((claims, "0"), (other, "1")):
        ask(connection, "BEGIN")
        count(connection, "UPDATE CLAIM SET OWNER = 'x' WHERE P = %s", (partition,))
    both = [
        (claims, Waiting(claims, "UPDATE CLAIM SET OWNER = 'y' WHERE P = '1'")),
        (other, Waiting(other, "UPDATE CLAIM SET OWNER = 'y' WHERE P = '0'")),
    ]
    until(lambda: not all(one.waits for _, one in both))
    (later, refused), (_, first) = sorted(both, key=lambda pair: pair[1].waits)
    assert number(refused.end()) == DEADLOCK
    assert first.waits, "the transaction of the other is open and holds its row"
    ask(later, "ROLLBACK")
    assert first.end() == 1


def test_an_idle_transaction_is_rolled_back_when_somebody_waits_for_it(
    snow_sql: SnowSql, claims: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    snow_sql.admin.set_idle_transaction(0.5)
    ask(claims, "BEGIN")
    count(claims, TAKE)
    assert count(other, "UPDATE CLAIM SET OWNER = 'c' WHERE P = '0' AND EPOCH = 1") == 1


def test_a_session_that_ends_takes_its_transaction_with_it(snow_sql: SnowSql, other: SnowflakeConnection) -> None:
    with snow_sql.connect() as leaver:
        ask(leaver, "BEGIN")
        count(leaver, TAKE)
    assert count(other, "UPDATE CLAIM SET OWNER = 'c' WHERE P = '0' AND EPOCH = 1") == 1


def test_a_lock_that_is_held_on_request_is_waited_for(snow_sql: SnowSql, other: SnowflakeConnection) -> None:
    snow_sql.admin.hold_lock(("DB", snow_sql.schema, "CLAIM"))
    waiter = Waiting(other, TAKE)
    with ExitStack() as stack:
        stack.callback(snow_sql.admin.release_locks)
        assert ask(stack.enter_context(snow_sql.connect()), SEEN) == [("a", 1)], "reading waits for nobody"
        assert waiter.waits
    assert waiter.end() == 1


def test_of_twenty_processes_that_compare_and_set_each_time_one_wins(
    snow_sql: SnowSql, claims: SnowflakeConnection
) -> None:
    count(claims, "INSERT INTO CLAIM (P, EPOCH) VALUES ('2', 1)")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([snowflake.connector.__name__, __name__])
    arguments = [(snow_sql.settings, snow_sql.service.ready["ca_file"], f"p{n}") for n in range(CLAIMANTS)]
    with context.Pool(CLAIMANTS) as pool:
        won = [wins for of_one in pool.starmap(race, arguments, chunksize=1) for wins in of_one]
    assert sorted(won) == sorted((how, epoch) for how in ("alone", "both") for epoch in EPOCHS)
    assert ask(claims, "SELECT EPOCH FROM CLAIM ORDER BY P") == [(EPOCHS[-1] + 1,)] * 3


def race(settings: dict[str, Any], ca_file: str, name: str) -> list[tuple[str, int]]:
    """Claim every epoch of row 0 in autocommit, and every one of the rows 1 and 2 in a transaction; give those won."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", ca_file)
        with snowflake.connector.connect(**settings) as connection:
            alone = [("alone", epoch) for epoch in EPOCHS if _claim(connection, name, "0", epoch)]
            return alone + [("both", epoch) for epoch in EPOCHS if _claim_both(connection, name, epoch)]


def _claim_both(connection: SnowflakeConnection, name: str, epoch: int) -> bool:
    """Claim two rows that belong together, as an ownership and the epoch of its checkpoint do."""
    ask(connection, "BEGIN")
    won = _claim(connection, name, "1", epoch)
    if won:
        assert _claim(connection, name, "2", epoch)
    ask(connection, "COMMIT" if won else "ROLLBACK")
    return won


def _claim(connection: SnowflakeConnection, name: str, partition: str, epoch: int) -> bool:
    claim = "UPDATE CLAIM SET OWNER = %s, EPOCH = EPOCH + 1, SEEN = SYSDATE() WHERE P = %s AND EPOCH = %s"
    return count(connection, claim, (name, partition, epoch)) == 1
