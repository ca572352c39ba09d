"""A session that Snowflake does not answer: nobody waits for it without end."""

import threading
import time
from collections.abc import Iterator

import pytest
from snowflake import connector

from shared.errors import SnowflakeUnavailable
from shared.log.secret import Secret
from shared.snowflake import connector as limits
from shared.snowflake import session as sessions
from shared.snowflake.session import SqlSession
from tests.unit.plain_settings import snowflake
from tests.unit.shared.config.configurations import key


class SilentSnowflake:
    """A connection and its cursor: what `silent` names is not answered before `answered` is set."""

    description = ()

    def __init__(self) -> None:
        self.silent, self.answered, self.asked = "", threading.Event(), threading.Event()
        self.logins = 0

    def log_in(self, **_: object) -> "SilentSnowflake":
        self.logins += 1
        self._wait("login")
        return self

    def cursor(self) -> "SilentSnowflake":
        return self

    def execute(self, *_: object) -> None:
        self._wait("execute")

    def fetchall(self) -> list[tuple[object, ...]]:
        return []

    def close(self, *, retry: bool = True) -> None:
        if not retry:  # else it is the cursor's
            self._wait("logout")

    def _wait(self, call: str) -> None:
        if self.silent == call:
            self.asked.set()
            self.answered.wait()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentSnowflake]:
    made = SilentSnowflake()
    monkeypatch.setattr(connector, "connect", made.log_in)
    monkeypatch.setattr(sessions, "CLOSE_S", 0.1)
    yield made
    made.answered.set()


@pytest.fixture
def session() -> SqlSession:
    return SqlSession(snowflake(private_key=Secret(key())))


def test_a_logout_that_is_not_answered_is_not_waited_for(service: SilentSnowflake, session: SqlSession) -> None:
    session.query("SELECT 1")
    service.silent = "logout"
    began_s = time.monotonic()
    session.close()
    assert service.asked.is_set()
    assert time.monotonic() - began_s < sessions.CALL_S


@pytest.mark.parametrize("call", ["login", "execute"])
def test_an_answer_without_end_is_not_waited_for_and_the_next_statement_has_a_session_of_its_own(
    service: SilentSnowflake, session: SqlSession, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    service.silent = call
    with monkeypatch.context() as impatient:
        impatient.setattr(limits, "longest_s", lambda _: 0.1)
        with pytest.raises(SnowflakeUnavailable, match="no answer"):
            session.query("SELECT 1")
    service.silent = ""
    assert session.query("SELECT 1") == []
    assert service.logins == 2


def test_a_statement_that_is_not_answered_holds_up_no_close(service: SilentSnowflake, session: SqlSession) -> None:
    service.silent = "execute"
    threading.Thread(target=session.query, args=("SELECT 1",), daemon=True).start()
    assert service.asked.wait(sessions.CALL_S)
    began_s = time.monotonic()
    session.close()
    assert time.monotonic() - began_s < sessions.CALL_S
    service.answered.set()
    with pytest.raises(SnowflakeUnavailable, match="was closed"):
        session.query("SELECT 1")
