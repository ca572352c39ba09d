"""What to type where Snowflake refuses, with the names of the settings: the key's fingerprint, or the missing grant.

Snowflake names the object and never the privilege. Which one it is, the statement says:
https://docs.snowflake.com/en/user-guide/security-access-control-privileges
"""

import re
import time
from dataclasses import dataclass

from shared.clock import utc
from shared.config.formats.identifier import problem, quoted, stored_name
from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, DoesNotExist, EvsupError, NotPermitted, NotSignedIn
from shared.snowflake.key_pair import fingerprint, signing_key
from shared.snowflake.tables import named_pipe, role_name, table_name

_OAUTH = "Check SNOWFLAKE_USER; DESC SECURITY INTEGRATION shows whose OAuth tokens are taken, and for which users."
_ROLE = re.compile(r"\brole '", re.IGNORECASE)
# What an administrator has set bars a credential that is right:
# https://docs.snowflake.com/en/user-guide/network-policies and
# https://docs.snowflake.com/en/user-guide/authentication-policies
_NETWORK = re.compile("not allowed to access Snowflake")
_POLICY = re.compile("current authentication policy")
_LOCKED = re.compile(r"User (temporarily locked|access disabled)", re.IGNORECASE)
# What a key signs is good around the time at which it was made, and no reason is given when it is not:
# https://docs.snowflake.com/user-guide/key-pair-auth-troubleshooting
_JWT = re.compile(r"JWT token|\b390144\b")
_CLOCK = " Or set the clock of this host, if it is wrong: it says {}."
_REFUSED = re.compile(r"privileges to operate on (\w+) '([^']+)'")
_ABSENT = re.compile(r"\b(Database|Schema) '[^']+' does not exist")
_LEADS_NOWHERE = re.compile("ERR_(DATABASE|SCHEMA)_DOES_NOT_EXIST")
_CREATED = re.compile(r"CREATE\s+(?:OR\s+REPLACE\s+)?((?:HYBRID\s+)?\w+)", re.IGNORECASE)
_WRITTEN = re.compile(r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+([^\s(]+)", re.IGNORECASE)
_READ = re.compile(r"(?:EXPLAIN\s+)?(?:SELECT|WITH|INSERT|UPDATE|DELETE|CREATE)\b", re.IGNORECASE)


def is_barred(why: str) -> bool:
    """Whether a policy bars an address or a client, which another service of Snowflake may let in."""
    return bool(_NETWORK.search(why) or _POLICY.search(why))


def sign_in(settings: SnowflakeSettings, why: str) -> str:
    """What to check where Snowflake refused the credential, its role or its user; `why` is what it said."""
    user = quoted(settings.user.upper() if problem(settings.user) else stored_name(settings.user))
    if _NETWORK.search(why):
        return (
            "Have this host's address allowed."
            f" SHOW PARAMETERS LIKE 'NETWORK_POLICY' FOR USER {user}; names the policy, or the same with IN ACCOUNT."
        )
    if _POLICY.search(why):
        return (
            "Have it allow drivers, and key pairs or OAuth."
            f" SHOW AUTHENTICATION POLICIES ON USER {user}; names it, or the same with ON ACCOUNT."
        )
    if _LOCKED.search(why):
        return f"Run ALTER USER {user} SET DISABLED = FALSE MINS_TO_UNLOCK = 0;"
    if settings.role and _ROLE.search(why):
        return f"Correct SNOWFLAKE_ROLE, or run GRANT ROLE {role_name(settings)} TO USER {user};"
    if settings.oauth_client_id:
        return _OAUTH
    try:
        own = fingerprint(signing_key(settings))
    except ValueError as error:  # the file has changed since
        return f"The private key {error}."
    return (
        f"Check SNOWFLAKE_USER and the key. The key's fingerprint is {own}: DESC USER {user}; has to show it as"
        f" RSA_PUBLIC_KEY_FP or RSA_PUBLIC_KEY_2_FP.{_CLOCK.format(utc(time.time())) if _JWT.search(why) else ''}"
    )


def not_seen(settings: SnowflakeSettings, kind: str, name: str) -> str:
    """What to type for a database or schema of the target, by its full name, that the role does not see."""
    return (
        f"Correct SNOWFLAKE_{kind}, or run CREATE {kind} {name}; or GRANT USAGE ON {kind} {name} TO ROLE"
        f" {role_name(settings)};"
    )


def target(settings: SnowflakeSettings, why: str) -> str:
    """What to check where the streaming service refused the target; `why` is what it said.

    Of table and pipe it does not say which, nor of any name whether it is absent or a privilege is missing:
    https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-access-control
    """
    if found := _LEADS_NOWHERE.search(why):
        parts = (settings.database, settings.schema)[: 1 if found[1] == "DATABASE" else 2]
        return not_seen(settings, found[1], ".".join(quoted(stored_name(part)) for part in parts))
    table, role = table_name(settings), role_name(settings)
    grants = f"GRANT INSERT ON TABLE {table} TO ROLE {role};"
    if settings.pipe:
        grants += f" GRANT OPERATE ON PIPE {named_pipe(settings)} TO ROLE {role};"
    return (
        f"Check that {table} and the pipe {settings.pipe_name} exist; `evsup init --target --print` shows their SQL."
        f" The role needs {grants}"
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A statement that was refused, and the database and schema of its session."""

    statement: str
    settings: SnowflakeSettings
    database: str
    schema: str

    def with_fix(self, error: EvsupError) -> EvsupError:
        """The error, with the statement that helps instead of advice, where there is one."""
        return type(error)(error.what, error.why, self._fix(error) or error.fix)

    def _fix(self, error: EvsupError) -> str:
        match error:
            case NotSignedIn():
                return sign_in(self.settings, error.why)
            case NotPermitted() if is_barred(error.why):
                return sign_in(self.settings, error.why)
            case NotPermitted() if refused := _REFUSED.search(error.why):
                return self._grant(refused[1].upper(), refused[2])
            case DoesNotExist() if absent := _ABSENT.search(error.why):
                return f"Correct the name, create it, or run {self._grant(absent[1].upper(), '')}"
            case ConfigurationError() if "No active warehouse" in error.why and (name := self.settings.warehouse):
                own_name = stored_name(name)
                resume = f"ALTER WAREHOUSE {quoted(own_name)} SET AUTO_RESUME = TRUE;"
                return f"Correct SNOWFLAKE_WAREHOUSE, or run {self._grant('WAREHOUSE', own_name)} or {resume}"
        return ""

    def _grant(self, kind: str, name: str) -> str:
        """The grant on an object that Snowflake names; empty where it does not follow from the statement."""
        database, schema = quoted(stored_name(self.database)), quoted(stored_name(self.schema))
        match kind:
            case "DATABASE":
                privilege, full_name = "USAGE", database
            case "SCHEMA":
                created = _CREATED.match(self.statement)
                privilege = f"CREATE {' '.join(created[1].upper().split())}" if created else "USAGE"
                full_name = f"{database}.{schema}"
            case "WAREHOUSE":
                privilege, full_name = "USAGE", quoted(name)
            case "TABLE" | "VIEW" if _READ.match(self.statement):
                own_name = name.rpartition(".")[2]
                privilege, full_name = self._privilege(own_name), f"{database}.{schema}.{quoted(own_name)}"
            case _:
                return ""
        return f"GRANT {privilege} ON {kind} {full_name} TO ROLE {role_name(self.settings)};"

    def _privilege(self, name: str) -> str:
        """What the statement does with a table: it writes one, and reads all others."""
        written = _WRITTEN.search(self.statement)
        is_written = written and written[2].replace('"', "").rpartition(".")[2].upper() == name.upper()
        return written[1].split()[0].upper() if written and is_written else "SELECT"
