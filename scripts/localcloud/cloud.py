"""Event Hubs, Snowflake and Postgres on this machine, and the settings that point evsup at them."""

import base64
import secrets
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scripts.localcloud.hub.admin import HubAdmin
from scripts.localcloud.place import ALL_HERE, Places
from scripts.localcloud.postgres import Postgres
from scripts.localcloud.service import Service
from scripts.localcloud.signing.certificate import write_private
from scripts.localcloud.snow.admin import SnowAdmin
from scripts.localcloud.snow.identity.authorization import ROLE_SCOPE, TOKEN_PATH
from shared.config.settings import SnowflakeSettings
from shared.snowflake.tables import EVSUP, create_table_sql, table_name

ACCOUNT, USER, ROLE = "LOCALCLOUD", "EVSUP", "EVSUP_LOADER"
DATABASE, SCHEMA, TABLE = "EVSUP", "PUBLIC", "EVENTS"
WAREHOUSE = "EVSUP_WH"
TARGET = SnowflakeSettings(account=ACCOUNT, user=USER, role=ROLE, database=DATABASE, schema=SCHEMA, table=TABLE)
KEY_NAME = "listen"
CLIENT_ID = "evsup-client"

# By itself the streaming SDK uploads rows as files under load. With these properties it sends them inline at any rate
# that is seen here: the other way to the table, which few tests take on purpose.
INLINE_PROPERTIES = {
    "max_buffered_kb_for_rowset_mode": "65000",
    "rowset_flush_threshold_kb": "65000",
    "max_rowset_payload_size_mb": "16",
}

Store = Literal["sqlite", "postgres", "snowflake"]


@dataclass(frozen=True)
class CloudSettings:
    """What to start; `commit_delay_s` is the time from append to commit (the real service's is near 6 s)."""

    partitions: int = 4
    store: Store = "sqlite"
    commit_delay_s: float = 1.0
    hub: str = "flights"
    consumer_group: str = "$Default"
    columns: tuple[str, ...] = ()
    """Declarations of columns for the keys of bodies; none: rows are the envelope."""
    places: Places = ALL_HERE


class LocalCloud:
    """A context manager: the services run inside it, each its own process, and leave nothing behind.

    `hub` and `snow` are the admin clients, `postgres` the server or None, `directory` is private and deleted at the
    end. A service that fails to start raises `ServiceError` with its stderr.
    """

    hub: HubAdmin
    snow: SnowAdmin
    hub_service: Service
    snow_service: Service
    postgres: Postgres | None = None
    directory: Path

    def __init__(self, settings: CloudSettings | None = None) -> None:
        self.settings = settings or CloudSettings()
        self._places = self.settings.places
        self._hub_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.identity_key = secrets.token_hex(32)
        """What the hub knows tokens of identities by: for `scripts.localcloud.sign_in`."""
        self._client_secret = secrets.token_urlsafe(24)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.directory = Path(tempfile.mkdtemp(prefix="evsup-localcloud-"))  # mode 0700
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            self.hub_service = self._start_hub(stack)
            self.hub = HubAdmin(self.hub_service.ready["admin_port"], self._places.hub.address)
            self.snow_service = self._start_snow(stack)
            self.snow = SnowAdmin(self.snow_service.ready["admin_port"], self._places.snow.address)
            self._make_account()
            if self.settings.store == "postgres":
                self.postgres = stack.enter_context(Postgres(_postgres_directory(), self._places.postgres))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the services. After an error, raises `ServiceError` for one that had ended by itself: that is why."""
        with self._stack:
            if isinstance(error, Exception):  # Ctrl-C in a terminal is for the services, too
                for service in (self.hub_service, self.snow_service):
                    service.require_running()

    @property
    def private_key_file(self) -> Path:
        """The PKCS#8 key of the Snowflake user, mode 0600."""
        return self.directory / "snowflake.p8"

    @property
    def connection_string(self) -> str:
        """What the Event Hubs SDK connects with."""
        return (
            f"Endpoint=sb://{self._places.hub.address}:{self.hub_service.ready['port']};SharedAccessKeyName={KEY_NAME};"
            f"SharedAccessKey={self._hub_key};EntityPath={self.settings.hub};UseDevelopmentEmulator=true"
        )

    @property
    def environment(self) -> dict[str, str]:
        """The settings of evsup that point at these services; secrets are in clear."""
        state = self.directory / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        return {
            "EVENTHUB_CONNECTION_STRING": self.connection_string,
            "EVENTHUB_NAME": self.settings.hub,
            "EVENTHUB_CONSUMER_GROUP": self.settings.consumer_group,
            "SNOWFLAKE_ACCOUNT": ACCOUNT,
            "SNOWFLAKE_USER": USER,
            "SNOWFLAKE_ROLE": ROLE,
            "SNOWFLAKE_WAREHOUSE": WAREHOUSE,
            "SNOWFLAKE_DATABASE": DATABASE,
            "SNOWFLAKE_SCHEMA": SCHEMA,
            "SNOWFLAKE_TABLE": TABLE,
            "SNOWFLAKE_ROW_FORMAT": "columns" if self.settings.columns else "envelope",
            "SNOWFLAKE_PRIVATE_KEY_FILE": str(self.private_key_file),
            "SNOWFLAKE_URL": f"https://{self._places.snow.address}:{self.snow_service.ready['port']}",
            "SNOWFLAKE_CA_FILE": self.snow_service.ready["ca_file"],
            **self._control(),
            "EVSUP_STATE_DIR": str(state),
        }

    @property
    def oauth_environment(self) -> dict[str, str]:
        """What signs in to Snowflake by OAuth, on top of `environment`."""
        return {
            "SNOWFLAKE_PRIVATE_KEY_FILE": "",
            "SNOWFLAKE_OAUTH_CLIENT_ID": CLIENT_ID,
            "SNOWFLAKE_OAUTH_CLIENT_SECRET": self._client_secret,
            "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT": f"{self.environment['SNOWFLAKE_URL']}/{'/'.join(TOKEN_PATH)}",
        }

    def _control(self) -> dict[str, str]:
        if self.postgres is not None:
            return {"CONTROL_STORE": "postgres", "CONTROL_POSTGRES_DSN": self.postgres.dsn}
        if self.settings.store == "snowflake":
            return {"CONTROL_STORE": "snowflake"}
        return {"CONTROL_STORE": "sqlite", "CONTROL_SQLITE_PATH": str(self.directory / "control.db")}

    def _start_hub(self, stack: ExitStack) -> Service:
        place = self._places.hub
        arguments = ["--address", place.address, "--hub", self.settings.hub, "--key-name", KEY_NAME]
        arguments += ["--partitions", str(self.settings.partitions)]
        arguments += ["--consumer-group", self.settings.consumer_group]
        keys = {"LOCALCLOUD_HUB_KEY": self._hub_key, "LOCALCLOUD_IDENTITY_KEY": self.identity_key}
        hub = Service.start("scripts.localcloud.hub", arguments, keys, entrance=place.entrance)
        stack.callback(hub.stop)
        return hub

    def _start_snow(self, stack: ExitStack) -> Service:
        state = self.directory / "snow"
        state.mkdir(mode=0o700)
        place = self._places.snow
        arguments = ["--address", place.address, "--state-dir", str(state)]
        arguments += ["--commit-delay", str(self.settings.commit_delay_s)]
        snow = Service.start("scripts.localcloud.snow", arguments, entrance=place.entrance)
        stack.callback(snow.stop)
        return snow

    def _make_account(self) -> None:
        """Make the user with a key pair and an OAuth client, and the table."""
        private, public = _key_pair_of_accounts()
        write_private(self.private_key_file, private)
        self.snow.register_user(ACCOUNT, USER, public, [ROLE])
        self.snow.register_client(CLIENT_ID, self._client_secret, ACCOUNT, USER, [f"{ROLE_SCOPE}{ROLE}"])
        declared = ", ".join((f"{EVSUP} VARIANT NOT NULL", *self.settings.columns))
        by_keys = f"CREATE TABLE {table_name(TARGET)} ({declared})"
        self.snow.execute_create_table(by_keys if self.settings.columns else create_table_sql(TARGET))


def key_pair() -> tuple[bytes, str]:
    """Make an RSA key pair: the private key as unencrypted PKCS#8, the public key as PEM text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode()


@cache
def _key_pair_of_accounts() -> tuple[bytes, str]:
    """That of every account that this process makes: a tenth of a second goes into one."""
    return key_pair()


def _postgres_directory() -> Path:
    """Give a path beside the private directory: as root, the server's own user must be able to reach it."""
    return Path(tempfile.gettempdir()) / f"evsup-postgres-{secrets.token_hex(8)}"
