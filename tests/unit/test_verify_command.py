"""What `evsup verify` counts: both tables where there are two, and never less than the settings say."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.errors import DoesNotExist
from shared.landed import Landed
from supervisor.commands import verify
from tests.unit.plain_settings import plain, snowflake
from tests.unit.stores import GROUP


class NoQuarantine:
    """Both tables, of which the second is not there."""

    def __init__(self, *_: object) -> None:
        self._left_out = False

    def leave_out(self) -> None:
        self._left_out = True

    def landed(self, *_: object) -> dict[str, Landed]:
        if not self._left_out:
            raise DoesNotExist("There is no FLIGHTS_QUARANTINE")
        return {"3": Landed(5, 5, 0, 4)}

    def close(self) -> None: ...


def landed(monkeypatch: pytest.MonkeyPatch, on_reject: str) -> dict[str, Landed]:
    monkeypatch.setattr(verify, "Quarantine", NoQuarantine)
    site = SimpleNamespace(settings=plain(snowflake(on_reject=on_reject)), store=SimpleNamespace(group=GROUP))
    return verify._landed(cast("Any", site), None, None)


def test_without_a_quarantine_the_target_table_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert landed(monkeypatch, "fail") == {"3": Landed(5, 5, 0, 4)}


def test_a_quarantine_that_should_be_there_and_is_not_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DoesNotExist):
        landed(monkeypatch, "quarantine")
