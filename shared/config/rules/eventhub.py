"""Rules of `EVENTHUB_*`."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from shared.config.faults import Fault
from shared.config.formats import connection_string, endpoint
from shared.config.formats.avro_schema import schema_problem
from shared.config.formats.files import certificate_problem
from shared.config.settings import EventHubSettings, Settings
from shared.model import LATEST, OLDEST

# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsofteventhub
_NAMESPACE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,48}[A-Za-z0-9]")
_HUB = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254}[A-Za-z0-9])?")
_CONSUMER_GROUP = re.compile(r"\$Default|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?", re.ASCII | re.IGNORECASE)

# Azure, and its sovereign clouds: https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure
# and https://learn.microsoft.com/azure/china/resources-developer-guide
CLOUDS = (
    "servicebus.windows.net",
    "servicebus.usgovcloudapi.net",
    "servicebus.chinacloudapi.cn",
    "servicebus.cloudapi.de",
    "servicebus.cloudapi.microsoft.scloud",
    "servicebus.cloudapi.eaglex.ic.gov",
)

INTERVALS_IN_A_LEASE = 3
LONGEST_LEASE_S = 3600  # that the setting takes: an example beyond it would be refused in its turn


def one_source(settings: Settings) -> Iterator[Fault]:
    """There is a connection string, or what an identity needs: the namespace and the event hub."""
    hub = settings.eventhub
    if hub.connection_string or hub.namespace:
        return
    yield Fault("EVENTHUB_NAMESPACE", "is required with identity; or set EVENTHUB_CONNECTION_STRING instead")


def connection_string_parses(settings: Settings) -> Iterator[Fault]:
    """The connection string can be parsed. The SDK's own message would be `blank or malformed`."""
    text = settings.eventhub.connection_string
    if text is None:
        return
    try:
        connection_string.parse(text.reveal())
    except ValueError as error:
        yield Fault("EVENTHUB_CONNECTION_STRING", str(error))


def connection_string_names_a_namespace(settings: Settings) -> Iterator[Fault]:
    """The Endpoint of a cloud has one name before the cloud's domain. An emulator's may be any host."""
    parsed = _parsed(settings.eventhub)
    if parsed is None or parsed.emulator:
        return
    cloud = _cloud_of(parsed.host)
    name = parsed.host.removesuffix(f".{cloud}")
    if "." not in parsed.host or ".." in parsed.host or (cloud and not _NAMESPACE.fullmatch(name)):
        yield Fault(
            "EVENTHUB_CONNECTION_STRING",
            f"Endpoint must be sb://NAME.{CLOUDS[0]} (or a sovereign cloud's); a private link's address belongs in"
            " EVENTHUB_CUSTOM_ENDPOINT, and an emulator needs UseDevelopmentEmulator=true",
        )


def one_event_hub(settings: Settings) -> Iterator[Fault]:
    """The event hub is named by `EntityPath` or EVENTHUB_NAME. If by both, they must agree."""
    hub = settings.eventhub
    parsed = _parsed(hub)
    if hub.connection_string and parsed is None:
        return
    entity_path = parsed.entity_path if parsed else None
    if not hub.name and not entity_path:
        yield Fault(
            "EVENTHUB_NAME", "is required: no connection string with an EntityPath says which event hub to read"
        )
    elif hub.name and entity_path and hub.name.lower() != entity_path.lower():
        yield Fault("EVENTHUB_NAME", "differs from the EntityPath in EVENTHUB_CONNECTION_STRING; drop one of the two")


def names_are_azure_s(settings: Settings) -> Iterator[Fault]:
    """Event hub and consumer group have names that Azure allows. They are part of the channel's name, too."""
    hub = settings.eventhub
    if hub.name and not _HUB.fullmatch(hub.name):
        yield Fault("EVENTHUB_NAME", "must be up to 256 letters, digits, dots, hyphens and underscores")
    parsed = _parsed(hub)
    if parsed and parsed.entity_path and not _HUB.fullmatch(parsed.entity_path):
        yield Fault(
            "EVENTHUB_CONNECTION_STRING",
            "EntityPath: an event hub's name is up to 256 letters, digits, dots, hyphens and underscores",
        )
    if not _CONSUMER_GROUP.fullmatch(hub.consumer_group):
        yield Fault(
            "EVENTHUB_CONSUMER_GROUP",
            "must be $Default, or up to 50 letters, digits, dots, hyphens and underscores; where a shell or a compose"
            " file reads the value, a $ needs single quotes or $$",
        )


def namespace_is_a_host_name(settings: Settings) -> Iterator[Fault]:
    """The namespace is a fully qualified host name, without `sb://` and without a port."""
    text = settings.eventhub.namespace
    if text is None:
        return
    name, _, domain = text.partition(".")
    if not _NAMESPACE.fullmatch(name) or (domain and domain.lower() not in CLOUDS):
        yield Fault("EVENTHUB_NAMESPACE", f"must be a host name alone, NAME.{CLOUDS[0]} (or a sovereign cloud's)")
    elif not domain:
        yield Fault("EVENTHUB_NAMESPACE", "must be the fully qualified name", f"{name}.{CLOUDS[0]}")


def starting_position_says_where(settings: Settings) -> Iterator[Fault]:
    """`-1`, `@latest`, or a time with its zone.

    A number would be taken for an offset, and the event at it skipped:
    https://learn.microsoft.com/python/api/azure-eventhub/azure.eventhub.eventhubconsumerclient#azure-eventhub-eventhubconsumerclient-receive
    """
    text = settings.eventhub.starting_position
    if text in {OLDEST, LATEST}:
        return
    if text == "0":
        yield Fault(
            "EVENTHUB_STARTING_POSITION",
            "is refused: the SDK starts after the position it is given, so that 0 would skip the first event;"
            " -1 is the beginning",
            "-1",
        )
        return
    try:
        time = datetime.fromisoformat(text)
        time.astimezone(UTC)  # the SDK counts in it
        if time.tzinfo is None:
            yield Fault("EVENTHUB_STARTING_POSITION", "is a time without a time zone", "2026-01-31T00:00:00Z")
    except OverflowError:
        yield Fault("EVENTHUB_STARTING_POSITION", "is a time before the year 1 or after 9999 in UTC")
    except ValueError:
        yield Fault("EVENTHUB_STARTING_POSITION", "must be -1 (beginning), @latest, or an ISO 8601 time with time zone")


def lease_outlives_the_interval(settings: Settings) -> Iterator[Fault]:
    """A lease outlives two failed renewals; it is renewed once an interval."""
    hub = settings.eventhub
    fewest = INTERVALS_IN_A_LEASE * hub.load_balancing_interval
    if hub.ownership_expiration <= fewest:
        yield Fault(
            "EVENTHUB_OWNERSHIP_EXPIRATION",
            f"must exceed {INTERVALS_IN_A_LEASE} × EVENTHUB_LOAD_BALANCING_INTERVAL = {fewest:g} seconds",
            f"{min(2 * fewest, LONGEST_LEASE_S):g}",
        )


def backoff_has_room(settings: Settings) -> Iterator[Fault]:
    """The SDK's first delay is not longer than its longest."""
    hub = settings.eventhub
    if hub.retry_backoff_factor > hub.retry_backoff_max:
        yield Fault("EVENTHUB_RETRY_BACKOFF_FACTOR", "is more than EVENTHUB_RETRY_BACKOFF_MAX")


def proxy_is_an_http_url(settings: Settings) -> Iterator[Fault]:
    """The proxy is an `http://` URL: the SDK uses host, port, user and password of one."""
    if settings.eventhub.proxy is None:
        return
    try:
        proxy = endpoint.parse(settings.eventhub.proxy.reveal())
    except ValueError as error:
        yield Fault("EVENTHUB_PROXY", str(error))
        return
    if proxy.scheme != "http":
        yield Fault("EVENTHUB_PROXY", "must begin with http:// (the SDK tunnels its own TLS through it)")
    if proxy.port is None:
        yield Fault("EVENTHUB_PROXY", "must name the port")


def custom_endpoint_is_an_address(settings: Settings) -> Iterator[Fault]:
    """The endpoint is a host, with a port if it is not the transport's own."""
    text = settings.eventhub.custom_endpoint
    if text is None:
        return
    try:
        address = endpoint.parse(text)
    except ValueError as error:
        yield Fault("EVENTHUB_CUSTOM_ENDPOINT", str(error))
        return
    if address.scheme or address.has_path or address.has_credentials:
        yield Fault("EVENTHUB_CUSTOM_ENDPOINT", "must be HOST:PORT alone")


def ca_file_is_a_bundle(settings: Settings) -> Iterator[Fault]:
    """The CA file can be read. The SDK would open it at its first connection only."""
    if reason := certificate_problem(settings.eventhub.ca_file):
        yield Fault("EVENTHUB_CA_FILE", reason)


def managed_identity_fits(settings: Settings) -> Iterator[Fault]:
    """A managed identity goes with DefaultAzureCredential only: the Azure CLI signs in as a person."""
    hub = settings.eventhub
    if hub.managed_identity_client_id is None:
        return
    if hub.identity != "default":
        yield Fault("EVENTHUB_MANAGED_IDENTITY_CLIENT_ID", f"contradicts EVENTHUB_IDENTITY={hub.identity}; drop one")
    try:
        UUID(hub.managed_identity_client_id)
    except ValueError:
        yield Fault("EVENTHUB_MANAGED_IDENTITY_CLIENT_ID", "must be the identity's client id, a UUID")


def schema_registry_is_a_host_name(settings: Settings) -> Iterator[Fault]:
    """The schema registry is a host name, with a port at most."""
    text = settings.eventhub.schema_registry
    if text is None:
        return
    try:
        found = endpoint.parse(text)
    except ValueError as error:
        yield Fault("EVENTHUB_SCHEMA_REGISTRY", str(error))
        return
    if found.scheme or found.has_path or found.has_credentials or "." not in found.host:
        yield Fault("EVENTHUB_SCHEMA_REGISTRY", f"must be a host name alone, NAME.{CLOUDS[0]}")


def avro_schema_file_is_a_schema(settings: Settings) -> Iterator[Fault]:
    """The file holds a schema: with one that does not, no body could be read."""
    path = settings.eventhub.avro_schema_file
    if path and (problem := schema_problem(path)):
        yield Fault("EVENTHUB_AVRO_SCHEMA_FILE", problem, "")


def raw_bodies_have_no_schema(settings: Settings) -> Iterator[str]:
    """Warn of what decodes Avro beside EVENTHUB_BODY=raw, which decodes nothing."""
    hub = settings.eventhub
    for name, value in (("SCHEMA_REGISTRY", hub.schema_registry), ("AVRO_SCHEMA_FILE", hub.avro_schema_file)):
        if hub.body == "raw" and value:
            yield f"EVENTHUB_{name} is not used: EVENTHUB_BODY=raw takes bodies as JSON or bytes"


def identity_is_overridden(settings: Settings) -> Iterator[str]:
    """Warn of settings of an identity beside a connection string, which overrides them."""
    hub = settings.eventhub
    parsed = _parsed(hub)
    if parsed and hub.namespace and hub.namespace.lower() != parsed.host.lower():
        yield "EVENTHUB_NAMESPACE is not used: EVENTHUB_CONNECTION_STRING names another namespace"
    if parsed and hub.managed_identity_client_id and not hub.schema_registry:
        yield "EVENTHUB_MANAGED_IDENTITY_CLIENT_ID is not used: EVENTHUB_CONNECTION_STRING overrides identity"


def cloud_is_known(settings: Settings) -> Iterator[str]:
    """Warn of an unknown cloud. It is no fault: private clouds (Azure Stack Hub) have domains of their own."""
    parsed = _parsed(settings.eventhub)
    if parsed and not parsed.emulator and not _cloud_of(parsed.host):
        yield (
            f"EVENTHUB_CONNECTION_STRING names {parsed.host}, which is in none of Azure's clouds ({CLOUDS[0]}, …):"
            " right for a private cloud only"
        )


def transport_is_a_setting(settings: Settings) -> Iterator[str]:
    """Warn of a TransportType in the connection string, which the SDK for Python ignores."""
    parsed = _parsed(settings.eventhub)
    if parsed and parsed.wants_websockets and settings.eventhub.transport == "amqp" and not settings.eventhub.proxy:
        yield "TransportType in EVENTHUB_CONNECTION_STRING is not used: set EVENTHUB_TRANSPORT=amqp_websocket"


def _cloud_of(host: str) -> str | None:
    return next((cloud for cloud in CLOUDS if host.endswith(f".{cloud}")), None)


def _parsed(hub: EventHubSettings) -> connection_string.ConnectionString | None:
    try:
        return connection_string.parse(hub.connection_string.reveal()) if hub.connection_string else None
    except ValueError:
        return None


RULES = (
    (one_source, ()),
    (connection_string_parses, ("EVENTHUB_CONNECTION_STRING",)),
    (connection_string_names_a_namespace, ("EVENTHUB_CONNECTION_STRING",)),
    (one_event_hub, ("EVENTHUB_CONNECTION_STRING", "EVENTHUB_NAME")),
    (names_are_azure_s, ("EVENTHUB_NAME", "EVENTHUB_CONSUMER_GROUP")),
    (namespace_is_a_host_name, ("EVENTHUB_NAMESPACE",)),
    (starting_position_says_where, ("EVENTHUB_STARTING_POSITION",)),
    (lease_outlives_the_interval, ("EVENTHUB_OWNERSHIP_EXPIRATION", "EVENTHUB_LOAD_BALANCING_INTERVAL")),
    (backoff_has_room, ("EVENTHUB_RETRY_BACKOFF_FACTOR", "EVENTHUB_RETRY_BACKOFF_MAX")),
    (proxy_is_an_http_url, ("EVENTHUB_PROXY",)),
    (custom_endpoint_is_an_address, ("EVENTHUB_CUSTOM_ENDPOINT",)),
    (ca_file_is_a_bundle, ("EVENTHUB_CA_FILE",)),
    (schema_registry_is_a_host_name, ("EVENTHUB_SCHEMA_REGISTRY",)),
    (avro_schema_file_is_a_schema, ("EVENTHUB_AVRO_SCHEMA_FILE",)),
    (managed_identity_fits, ("EVENTHUB_MANAGED_IDENTITY_CLIENT_ID", "EVENTHUB_IDENTITY")),
)
CAUTIONS = (raw_bodies_have_no_schema, identity_is_overridden, cloud_is_known, transport_is_a_setting)
