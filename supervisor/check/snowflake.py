"""Snowflake before a start, by SQL that needs no warehouse: login, storage, INSERT, error logging."""

from contextlib import closing

from shared.config.settings import Settings, SnowflakeSettings
from shared.errors import Bug, DoesNotExist, NotPermitted, Unsupported
from shared.eventhubs.client import consumer_group
from shared.snowflake.quarantine_table import Quarantine
from shared.snowflake.session import SqlSession
from shared.snowflake.tables import address, table_name
from supervisor.check.runner import Answer
from supervisor.check.storage import reached, stage_hosts
from supervisor.target.rows_fit import Fit, listed, look

WHO = "SELECT CURRENT_USER() AS USER_NAME, CURRENT_ROLE() AS ROLE_NAME, CURRENT_WAREHOUSE() AS WAREHOUSE_NAME"


def quarantine(settings: Settings) -> Answer:
    """Whether rejected rows can be set aside."""
    with closing(Quarantine(settings.snowflake, consumer_group(settings.eventhub), None)) as tables:
        tables.check()
        return Answer(f"{tables.name} can be read and written")


class Account:
    """One session. Methods block and raise as it does."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self._settings = settings
        self._session = SqlSession(settings)
        self._table = table_name(settings)

    def login(self) -> Answer:
        """Who we are there."""
        [row] = self._session.query(WHO)
        who = f"{row['user_name']} as {row['role_name']}"
        if row["warehouse_name"] is None:
            fix = "Set SNOWFLAKE_WAREHOUSE for `evsup verify` and CONTROL_STORE=snowflake; loading needs none."
            return Answer(f"{who}, without a warehouse", "warn", fix)
        return Answer(f"{who} with warehouse {row['warehouse_name']}")

    def look(self) -> Fit:
        """The table's columns and the pipe. Raises when the role may not see them."""
        return look(self._session, self._settings)

    def insert(self) -> Answer:
        """Whether the role may insert: the statement is compiled and not run.

        https://docs.snowflake.com/en/sql-reference/sql/explain
        """
        try:
            self._session.query(f"EXPLAIN INSERT INTO {self._table} (PARTITION_ID, SEQUENCE_NUMBER) SELECT '', 0")
        except Unsupported as error:
            return Answer(error.why, "skipped")
        return Answer("INSERT is granted")

    def storage(self) -> Answer:
        """Whether the hosts of the stage answer."""
        private = ".privatelink." in address(self._settings)[0]
        function = "SYSTEM$ALLOWLIST_PRIVATELINK" if private else "SYSTEM$ALLOWLIST"
        try:
            [row] = self._session.query(f"SELECT {function}() AS HOSTS")
        except (NotPermitted, Unsupported, DoesNotExist, Bug) as error:
            return Answer(f"the account does not say where its stage is: {error.why}", "skipped")
        return reached(stage_hosts(row["hosts"]), self._settings.ca_file)

    def error_logging(self) -> Answer:
        """Whether rejected rows are kept: https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_03/bcr-2185."""
        row = listed(self._session, self._settings) or {}
        if "error_logging" not in row:
            return Answer("this account does not say", "skipped")
        if str(row["error_logging"]).upper() not in ("Y", "ON", "TRUE"):
            fix = f"ALTER TABLE {self._table} SET ERROR_LOGGING = TRUE;"
            return Answer("off: a row that Snowflake rejects is counted and not kept", "warn", fix)
        return Answer("on")
