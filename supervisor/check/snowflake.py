"""Snowflake before a start, by SQL that needs no warehouse: login, storage, table, INSERT, error logging."""

from contextlib import closing

from shared.config.formats.identifier import quoted, stored_name
from shared.config.settings import Settings, SnowflakeSettings
from shared.control.store import ControlStore
from shared.errors import Bug, DoesNotExist, NotPermitted, Unsupported
from shared.eventhubs.client import consumer_group
from shared.snowflake.key_pair import fingerprint, signing_key
from shared.snowflake.quarantine_table import Quarantine
from shared.snowflake.tables import EVSUP, address, role_name, table_name
from supervisor.check.runner import Outcome
from supervisor.check.storage import stage_hosts, storage_outcome
from supervisor.target.session import Session
from supervisor.target.table_kind import find_table
from supervisor.target.target_check import TargetCheck, check_target

SIGNED_IN_AS = "SELECT CURRENT_USER() AS USER_NAME, CURRENT_ROLE() AS ROLE_NAME, CURRENT_WAREHOUSE() AS WAREHOUSE_NAME"


def quarantine(settings: Settings, store: ControlStore) -> Outcome:
    """Whether rejected rows can be quarantined, and the control store can record it."""
    store.check_audit()
    with closing(Quarantine(settings.snowflake, consumer_group(settings.eventhub), None)) as tables:
        tables.check()
        return Outcome(f"{tables.name} can be read and written")


class SnowflakeChecks:
    """Checks over one SQL session. Methods block and raise as the session does."""

    def __init__(self, settings: SnowflakeSettings, session: Session) -> None:
        self._settings, self._session = settings, session
        self._table = table_name(settings)
        self._one_row = (
            "(PARTITION_ID, SEQUENCE_NUMBER) SELECT '', 0"
            if settings.row_format == "envelope"
            else f"({EVSUP}) SELECT PARSE_JSON('{{}}')"
        )

    def login(self) -> Outcome:
        """User, role, key and warehouse of the session."""
        [row] = self._session.query(SIGNED_IN_AS)
        user = f"{row['user_name']} as {row['role_name']}"
        if not self._settings.oauth_client_id:
            user += f" with the key {fingerprint(signing_key(self._settings))}"
        if row["warehouse_name"] is None:
            return self._without_warehouse(user)
        return Outcome(f"{user} and warehouse {row['warehouse_name']}")

    def _without_warehouse(self, user: str) -> Outcome:
        """Snowflake signs in all the same where there is no such warehouse, or the role may not use it."""
        needed = "`evsup verify` and CONTROL_STORE=snowflake need one; loading needs none."
        if self._settings.warehouse is None:
            return Outcome(f"{user}, without a warehouse", "warn", f"Set SNOWFLAKE_WAREHOUSE: {needed}")
        name = quoted(stored_name(self._settings.warehouse))
        grant = f"GRANT USAGE ON WAREHOUSE {name} TO ROLE {role_name(self._settings)};"
        fix = f"Correct SNOWFLAKE_WAREHOUSE, or run {grant} {needed}"
        return Outcome(f"{user}; there is no warehouse {name} that the role can use", "warn", fix)

    def target(self) -> TargetCheck:
        """The table's columns and the pipe. Raises when the role may not see them."""
        return check_target(self._session, self._settings)

    def insert(self) -> Outcome:
        """Whether the role may insert: the statement is compiled and not run.

        https://docs.snowflake.com/en/sql-reference/sql/explain
        """
        try:
            self._session.query(f"EXPLAIN INSERT INTO {self._table} {self._one_row}")
        except Unsupported as error:
            return Outcome(error.why, "skipped")
        return Outcome("INSERT is granted")

    def storage(self) -> Outcome:
        """Whether the hosts of the stage answer."""
        private = ".privatelink." in address(self._settings)[0]
        function = "SYSTEM$ALLOWLIST_PRIVATELINK" if private else "SYSTEM$ALLOWLIST"
        try:
            [row] = self._session.query(f"SELECT {function}() AS HOSTS")
        except (NotPermitted, Unsupported, DoesNotExist, Bug) as error:
            return Outcome(f"the account does not say where its stage is: {error.why}", "skipped")
        return storage_outcome(stage_hosts(row["hosts"]), self._settings.ca_file)

    def error_logging(self) -> Outcome:
        """Whether rejected rows are kept: https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_03/bcr-2185."""
        row = find_table(self._session, self._settings) or {}
        if "error_logging" not in row:
            return Outcome("this account does not say", "skipped")
        if str(row["error_logging"]).upper() not in ("Y", "ON", "TRUE"):
            fix = f"ALTER TABLE {self._table} SET ERROR_LOGGING = TRUE;"
            return Outcome("off: a row that Snowflake rejects is counted and not kept", "warn", fix)
        return self._error_table() if self._settings.quarantines else Outcome("on")

    def _error_table(self) -> Outcome:
        """Whether the role may read the reason of each rejected row."""
        try:
            self._session.query(f"EXPLAIN SELECT ERROR_CODE FROM ERROR_TABLE({self._table})")  # noqa: S608
        except (NotPermitted, DoesNotExist) as error:
            grant = f"GRANT SELECT ERROR TABLE ON TABLE {self._table} TO ROLE {role_name(self._settings)};"
            return Outcome(f"on, but the role may not read the error table: {error.why}", "warn", grant)
        except Unsupported:
            return Outcome("on")
        return Outcome("on, and the role may read the error table")
