"""Keys that no column takes: counted, logged once each, and the reason why an event with one may not be stored."""

from collections.abc import Collection, Sequence
from typing import Literal

from shared.config.formats.identifier import quoted
from shared.errors import UnknownKey
from shared.log.logger import get_logger
from shared.snowflake.tables import EVSUP
from worker.rows.column_keys import ColumnKeys
from worker.rows.event import Refusal

MOST_LOGGED = 1000  # keys of one worker: a sender may invent a new one for each event
SHOWN = 3  # keys that an error names
LONGEST_SHOWN = 255  # characters of a key

log = get_logger()


class UnknownKeys:
    """Of one partition. `table` is the quoted name of the target table."""

    def __init__(self, table: str, on_unknown_key: Literal["keep", "fail", "evolve"]) -> None:
        self._table, self._on_unknown_key = table, on_unknown_key
        self._logged: set[str] = set()
        self.total = 0
        """Values that were kept in `_EVSUP:unknown`."""

    def note(self, unknown: Sequence[str], keys: ColumnKeys, asked: Collection[str]) -> None:
        """Count the values of keys that have no column, and log each key once."""
        self.total += len(unknown)
        if self._logged.issuperset(unknown):  # nearly always: senders repeat their keys
            return
        for key in unknown:
            shown = key[:LONGEST_SHOWN]
            if shown not in self._logged and len(self._logged) < MOST_LOGGED:
                self._logged.add(shown)
                self._log(shown, keys.problem(key) or self._add(keys, [key]), is_asked=key in asked)
                if len(self._logged) == MOST_LOGGED:
                    log.warning("keys_not_logged", reason=f"{MOST_LOGGED} keys without a column were logged")

    def _log(self, key: str, fix: str, *, is_asked: bool) -> None:
        if is_asked:
            log.info("column_asked_for", key=key, until_it_is_there=f"values are in {EVSUP}:unknown as well")
        elif self._on_unknown_key != "fail":  # else the error says it
            log.warning("key_without_column", key=key, kept_in=f"{EVSUP}:unknown", fix=fix)

    def refusal(self, unknown: Sequence[str], keys: ColumnKeys) -> Refusal:
        """Why an event with these keys may not be stored."""
        named = ", ".join(repr(key[:LONGEST_SHOWN]) for key in unknown[:SHOWN])
        more = f" and {len(unknown) - SHOWN} more keys" if len(unknown) > SHOWN else ""
        can_be = [key for key in unknown if keys.problem(key) is None]
        why = next((reason for key in unknown if (reason := keys.problem(key))), "SNOWFLAKE_ON_UNKNOWN_KEY=fail")
        add = f"{self._add(keys, can_be)} " if can_be else ""
        return Refusal(
            UnknownKey,
            f"there is no column for {named}{more}",
            why,
            f"{add}Or set SNOWFLAKE_ON_UNKNOWN_KEY=keep to store such values in {EVSUP}:unknown.",
        )

    def _add(self, keys: ColumnKeys, unknown: Sequence[str]) -> str:
        """A VARIANT takes any value that may come."""
        names = dict.fromkeys(keys.fold(key) for key in unknown[:100])
        return f"ALTER TABLE {self._table} ADD COLUMN {', '.join(f'{quoted(name)} VARIANT' for name in names)};"
