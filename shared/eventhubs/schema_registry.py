"""Azure Schema Registry: the definition of a schema by its id, signed in with the identity of the settings.

A schema never changes, so each is asked for once in a process. The client is the SDK's, without retries of its own: who
asks has a link to Event Hubs to look after, and asks again.
https://learn.microsoft.com/azure/event-hubs/schema-registry-concepts
https://learn.microsoft.com/rest/api/schemaregistry/data-plane/schema/get-by-id
"""

from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError

from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, EvsupError, NotPermitted, SchemaRegistryUnavailable, SourceUnavailable
from shared.eventhubs.identity import Identity, SignInFailed
from shared.eventhubs.sdk_error import plain

if TYPE_CHECKING:
    from azure.schemaregistry import SchemaRegistryClient

# Less than the minute in which a receiver has to show that it lives, with a sign-in before it.
CONNECT_S, READ_S = 5.0, 10.0
UNKNOWN = (400, 404)  # it is no id, or the namespace has no such schema
REFUSED = (401, 403)
SHORT = slice(300)


class SchemaRegistry:
    """The registry of a namespace. One thread uses it."""

    def __init__(self, settings: EventHubSettings) -> None:
        self._settings, self._namespace = settings, settings.schema_registry or ""
        self._what = f"The schema registry {self._namespace} cannot be asked"
        self._client: SchemaRegistryClient | None = None

    def definition(self, schema_id: str) -> str | None:
        """The definition of a schema; None: the registry does not know it. Blocks for some seconds.

        Raises `SchemaRegistryUnavailable` when it cannot answer now, and `NotPermitted` or `ConfigurationError` when
        asking again would not help.
        """
        try:
            return self._opened().get_schema(schema_id).definition
        except HttpResponseError as error:
            if error.status_code in UNKNOWN:
                return None
            raise self._translated(error) from error
        except (AzureError, SignInFailed) as error:
            raise self._translated(error) from error
        except (MemoryError, EvsupError):
            raise
        except Exception as error:  # the SDK trusts an answer: a proxy's page has no version of a schema
            raise self._unavailable(f"it answers what is no schema ({type(error).__name__})") from error

    def _opened(self) -> "SchemaRegistryClient":
        """The client, made by the first question: nearly no hub has one."""
        if self._client is None:
            self._client = _client_class()(
                self._namespace,
                Identity(self._settings),
                retry_total=0,
                connection_timeout=CONNECT_S,
                read_timeout=READ_S,
                logging_enable=False,
            )
        return self._client

    def _translated(self, error: Exception) -> EvsupError:
        what = self._what
        if isinstance(error.__cause__, EvsupError):  # of a sign-in
            known = error.__cause__
            kind = SchemaRegistryUnavailable if isinstance(known, SourceUnavailable) else type(known)
            return kind(what, f"{known.what}: {known.why}", known.fix)
        text = plain(str(error))[SHORT]
        if isinstance(error, HttpResponseError) and error.status_code in REFUSED:
            return NotPermitted(what, text, "Give the identity the role Schema Registry Reader on the namespace.")
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return ConfigurationError(what, text, "Set EVENTHUB_CA_FILE to the CA that signed its certificate.")
        return self._unavailable(text)

    def _unavailable(self, why: str) -> SchemaRegistryUnavailable:
        return SchemaRegistryUnavailable(
            self._what, why, "Nothing is lost: events wait in the hub until it answers. Check EVENTHUB_SCHEMA_REGISTRY."
        )


def _client_class() -> "type[SchemaRegistryClient]":
    try:
        from azure.schemaregistry import SchemaRegistryClient
    except ImportError as error:
        raise ConfigurationError(
            "Reading Avro bodies needs another package",
            "azure-schemaregistry is not installed",
            "Install evsup with its extra `avro`: pip install '.[avro]' in its source directory",
        ) from error
    return SchemaRegistryClient
