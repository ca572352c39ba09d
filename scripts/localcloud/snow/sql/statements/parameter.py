"""The parameters of a session: which there are, what they take, and what they are at first.

https://docs.snowflake.com/en/sql-reference/parameters. Those that this service uses have an effect; the others are
known to the drivers and kept.
"""

from typing import Final

from scripts.localcloud.snow.sql.statements.refusal import invalid_parameter, invalid_value

Value = bool | int | str

DEFAULTS: Final[dict[str, Value]] = {
    "AUTOCOMMIT": True,
    "HYBRID_TABLE_LOCK_TIMEOUT": 3600,
    "LOCK_TIMEOUT": 43_200,
    "QUERY_TAG": "",
    "READ_LATEST_WRITES": False,  # every read here is the latest
    "STATEMENT_TIMEOUT_IN_SECONDS": 172_800,
    "TIMEZONE": "Etc/UTC",  # an account's is America/Los_Angeles until somebody changes it
    "ABORT_DETACHED_QUERY": False,
    "BINARY_OUTPUT_FORMAT": "HEX",
    "CLIENT_APPLICATION_PATH": "",  # this one, and what runs it, is sent at each login by version 5 of the connector
    "CLIENT_COMPILER": "",
    "CLIENT_PREFETCH_THREADS": 4,
    "CLIENT_RESULT_CHUNK_SIZE": 160,
    "CLIENT_RUNTIME_NAME": "",
    "CLIENT_RUNTIME_VERSION": "",
    "CLIENT_SESSION_KEEP_ALIVE": False,
    "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": 3600,
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0,  # arrays are bound inline, whatever their size
    "CLIENT_TELEMETRY_ENABLED": True,
    "ERROR_ON_NONDETERMINISTIC_UPDATE": False,
    "MULTI_STATEMENT_COUNT": 1,
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON",
    "TIMESTAMP_OUTPUT_FORMAT": "",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "TRANSACTION_ABORT_ON_ERROR": False,
    "USE_CACHED_RESULT": True,
}
_ZONES = frozenset({"UTC", "ETC/UTC"})


class Parameters:
    """The values of one session."""

    def __init__(self) -> None:
        self._set: dict[str, Value] = {}

    def set(self, name: str, value: object) -> None:
        """Set a parameter, or refuse its name or its value."""
        name = name.upper()
        if name not in DEFAULTS:
            raise invalid_parameter(name)
        read = _read(DEFAULTS[name], str(value))
        if read is None or (name == "TIMEZONE" and str(read).upper() not in _ZONES):
            raise invalid_value(str(value), name)
        self._set[name] = read

    def offer(self, name: str, value: object) -> None:
        """Set what a driver wants at its login; the service passes over what it does not know, and so may a driver."""
        if name.upper() in DEFAULTS:
            self.set(name, value)

    def unset(self, name: str) -> None:
        """Go back to the default."""
        if name.upper() not in DEFAULTS:
            raise invalid_parameter(name.upper())
        self._set.pop(name.upper(), None)

    def flag(self, name: str) -> bool:
        """Read a parameter that is on or off."""
        return bool(self._set.get(name, DEFAULTS[name]))

    def seconds(self, name: str) -> float:
        """Read a parameter that is a limit in seconds."""
        return float(self._set.get(name, DEFAULTS[name]))

    def all(self) -> list[dict[str, Value]]:
        """Give every parameter as the drivers read them."""
        return [{"name": name, "value": value} for name, value in {**DEFAULTS, **self._set}.items()]


def _read(default: Value, text: str) -> Value | None:
    """Read a value of the default's type; None when it is not one."""
    if isinstance(default, bool):
        return {"TRUE": True, "FALSE": False}.get(text.upper())
    if isinstance(default, int):
        return int(text) if text.isascii() and text.isdecimal() else None
    return text
