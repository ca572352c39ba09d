"""Event Hubs before a start: the identity gets a token, the hub answers, the consumer group exists."""

from shared.config.settings import EventHubSettings
from shared.errors import OwnershipLost, SourceUnavailable
from shared.eventhubs.client import EventHubClient
from shared.eventhubs.identity import SCOPE, Identity, SignInFailed
from shared.eventhubs.schema_registry import SchemaRegistry
from shared.model import HubFacts
from shared.timeout import within
from supervisor.check.runner import LIMIT_S, Outcome

RECEIVE_S = 1.0
NO_SCHEMA = "0" * 32


def identity(settings: EventHubSettings) -> Outcome:
    """Whether there is a token. A connection string needs none: whether it is right shows in the next check."""
    if settings.connection_string:
        return Outcome("EVENTHUB_CONNECTION_STRING")
    try:
        with Identity(settings) as own:
            own.get_token(SCOPE)
    except SignInFailed as error:
        raise error.__cause__ or error from error  # its cause is ours, with what to do
    return Outcome(f"a token of {settings.identity}")


def hub(settings: EventHubSettings) -> HubFacts:
    """The hub's partitions and creation time."""
    # With retries the SDK would not report an unknown hub within a check's time.
    with EventHubClient(settings, retry_total=0) as client:
        return client.hub()


def schema_registry(settings: EventHubSettings) -> Outcome:
    """Whether the schema registry answers this identity; the schema that is asked for is nobody's."""
    SchemaRegistry(settings).definition(NO_SCHEMA)
    return Outcome(settings.schema_registry or "")


def consumer_group(settings: EventHubSettings, partition_id: str) -> Outcome:
    """Whether the consumer group exists: attaches a receiver without an owner level.

    That disturbs nobody. Beside a receiver with an owner level, a supervisor's, it is refused:
    https://learn.microsoft.com/azure/event-hubs/event-hubs-event-processor-host#epoch
    """
    with EventHubClient(settings, retry_total=0) as client:  # with retries the SDK attaches again and reports nothing
        try:
            within(LIMIT_S, lambda: client.listen(partition_id, RECEIVE_S))
        except OwnershipLost:
            return Outcome(f"{settings.consumer_group}, in use by a supervisor")
        except TimeoutError as error:
            raise SourceUnavailable("The consumer group does not answer", str(error)) from error
    return Outcome(settings.consumer_group)
