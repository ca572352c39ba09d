"""The PostgreSQL connection string: what it says, what we add to it, and how it is shown without its password."""

import re
from dataclasses import dataclass, field

import psycopg
from psycopg import conninfo

from shared.errors import ConfigurationError
from shared.log.secret import MASK, Secret, mask

CONNECT_S = 3  # a host; libpq tries each host of the string in turn

# Added where the user's string does not say otherwise. All are the client's own: PgBouncer sees nothing of them, except
# the encoding, which it tracks. A database in SQL_ASCII would otherwise give bytes for texts.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_DEFAULTS = {
    "connect_timeout": str(CONNECT_S),
    "tcp_user_timeout": "8000",  # milliseconds that sent data may stay unacknowledged: a vanished host is noticed
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "client_encoding": "utf8",
    "application_name": "evsup",
}


@dataclass(frozen=True, slots=True)
class Dsn:
    """A connection string that libpq understands."""

    conninfo: Secret = field(repr=False)
    address: str
    """Host, port and database, to be shown."""
    user: str
    """Empty: libpq takes the one of the operating system, or of PGUSER."""
    password: Secret = field(repr=False)

    def masked(self, text: str) -> str:
        """One line of what libpq or the server said, without the password."""
        line = " ".join(text.split())
        return mask(line.replace(self.password.reveal(), MASK) if self.password else line)


def parse(text: Secret) -> Dsn:
    """Raises ConfigurationError, and never shows the text: what cannot be parsed cannot be masked either."""
    try:
        given = conninfo.conninfo_to_dict(text.reveal())
    except (psycopg.Error, UnicodeError):
        raise _not_understood() from None
    fields = {name: str(value) for name, value in given.items() if value is not None}
    if _is_split_wrongly(fields):
        raise _not_understood() from None
    return Dsn(
        Secret(conninfo.make_conninfo("", **(_DEFAULTS | fields))),
        _address(fields),
        fields.get("user", ""),
        Secret(fields.get("password", "")),
    )


def _is_split_wrongly(fields: dict[str, str]) -> bool:
    """A raw @ or / in a URL's password puts the rest of it into host, port or database, which errors show."""
    anywhere = fields.get("host", "") + fields.get("dbname", "")
    return "@" in anywhere or not re.fullmatch(r"[\d,]*", fields.get("port", ""))


def _address(fields: dict[str, str]) -> str:
    host = fields.get("host") or fields.get("hostaddr") or fields.get("service") or "the local socket"
    port = f":{fields['port']}" if "port" in fields else ""
    return f"{host}{port}/{fields.get('dbname', '')}".rstrip("/")


def _not_understood() -> ConfigurationError:
    return ConfigurationError(
        "CONTROL_POSTGRES_DSN cannot be read",
        "libpq does not understand it (not shown, for it may hold the password)",
        "Write postgresql://user:password@host:5432/database, special characters of the password percent-encoded.",
    )
