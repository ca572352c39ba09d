"""Snowflake before a start, by SQL that needs no warehouse: login, storage, table, columns, INSERT, error logging."""

from contextlib import closing

from shared.azure import consumer_group
from shared.errors import Bug, ConfigurationError, DoesNotExist, NotPermitted, Unsupported
from shared.identifier import quoted, stored_name
from shared.quarantine import Quarantine
from shared.settings import Settings, SnowflakeSettings
from shared.snow_sql import Row, SqlSession
from shared.snowflake import address, envelope_columns, table_name
from supervisor.preflight.check import Answer
from supervisor.preflight.columns import Stored, misfits
from supervisor.preflight.storage import reached, stage_hosts

_NO_TABLE = (
    "Run `evsup init --target`, or correct SNOWFLAKE_DATABASE, _SCHEMA and _TABLE, or grant SNOWFLAKE_ROLE their use."
)
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
        self._names = [stored_name(each) for each in (settings.database, settings.schema, settings.table)]

    def login(self) -> Answer:
        """Who we are there."""
        [row] = self._session.query(WHO)
        who = f"{row['user_name']} as {row['role_name']}"
        if row["warehouse_name"] is None:
            fix = "Set SNOWFLAKE_WAREHOUSE for `evsup verify` and CONTROL_STORE=snowflake; loading needs none."
            return Answer(f"{who}, without a warehouse", "warn", fix)
        return Answer(f"{who} with warehouse {row['warehouse_name']}")

    def columns(self) -> Answer:
        """Whether rows fit. A table that is not there, or that the role may not see, raises."""
        try:
            rows = self._session.query(f"DESCRIBE TABLE {self._table}")
        except DoesNotExist as error:
            return self._not_described(error)
        stored = [Stored(row["name"], row["type"], row["null?"] == "Y", row["default"] is not None) for row in rows]
        found = list(misfits(stored, envelope_columns(), self._table))
        problems = "; ".join(each.problem for each in found)
        fix = " ".join(each.statement for each in found)
        if any(not each.some_rows for each in found):
            raise ConfigurationError(f"{self._table} does not take evsup's rows", problems, fix)
        return Answer(problems, "warn", fix) if found else Answer(f"{len(stored)} columns, and rows fit")

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
        row = self._listed() or {}
        if "error_logging" not in row:
            return Answer("this account does not say", "skipped")
        if str(row["error_logging"]).upper() not in ("Y", "ON", "TRUE"):
            fix = f"ALTER TABLE {self._table} SET ERROR_LOGGING = TRUE;"
            return Answer("off: a row that Snowflake rejects is counted and not kept", "warn", fix)
        return Answer("on")

    def _not_described(self, error: DoesNotExist) -> Answer:
        """To describe a table takes more than INSERT, to list it does not.

        https://docs.snowflake.com/en/user-guide/security-access-control-privileges#table-privileges
        """
        if self._listed() is None:
            raise ConfigurationError(f"There is no table {self._table}", error.why, _NO_TABLE) from error
        fix = f"GRANT REFERENCES ON TABLE {self._table} TO ROLE …; lets `evsup check` compare the columns."
        return Answer("it is there, and the role may not see its columns", "warn", fix)

    def _listed(self) -> Row | None:
        database, schema, table = self._names
        rows = self._session.query(f"SHOW TABLES IN SCHEMA {quoted(database)}.{quoted(schema)}")
        return next((row for row in rows if row["name"] == table), None)
