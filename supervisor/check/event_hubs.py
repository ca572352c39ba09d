"""Event Hubs before a start: a token can be had, the hub answers, the consumer group exists."""

from shared.config.settings import EventHubSettings
from shared.errors import OwnershipLost, SourceUnavailable
from shared.eventhubs.client import EventHubClient
from shared.eventhubs.errors import translated
from shared.eventhubs.identity import Identity, SignInFailed
from shared.model import HubFacts
from shared.timeout import within
from supervisor.check.runner import ANSWER_S, Answer

# https://learn.microsoft.com/azure/event-hubs/authenticate-application
SCOPE = "https://eventhubs.azure.net/.default"
LOOK_S = 1.0


def identity(settings: EventHubSettings) -> Answer:
    """Ask for a token; a connection string is tried by the next check."""
    if settings.connection_string:
        return Answer("EVENTHUB_CONNECTION_STRING")
    try:
        with Identity(settings) as own:
            own.get_token(SCOPE)
    except SignInFailed as error:
        raise error.__cause__ or error from error
    return Answer(f"a token of {settings.identity}")


def hub(settings: EventHubSettings) -> HubFacts:
    """What the hub says of itself. With retries the SDK would know of no unknown hub within a check's time."""
    with EventHubClient(settings, retry_total=0) as client:
        return client.hub()


def consumer_group(settings: EventHubSettings, partition_id: str) -> Answer:
    """Attach a receiver without an owner level, which disturbs nobody: beside one that has a level it is refused."""
    errors: list[Exception] = []
    with EventHubClient(settings, retry_total=0) as client:  # with more the SDK would attach again without a word

        def on_event(*_: object) -> None:
            client.sdk.close()

        def on_error(_: object, error: Exception) -> None:
            errors.append(error)
            client.sdk.close()

        def receive() -> None:
            client.sdk.receive(
                on_event,
                partition_id=partition_id,
                starting_position="@latest",
                max_wait_time=LOOK_S,
                prefetch=1,
                on_error=on_error,
            )

        client.hub()  # or the SDK would ask for the partitions, and turn without a pause meanwhile
        try:
            within(ANSWER_S, receive)
        except TimeoutError as error:
            raise SourceUnavailable("The consumer group does not answer", str(error)) from error
    found = [translated(error, f"Consumer group {settings.consumer_group}", client.access) for error in errors]
    if found and isinstance(found[0], OwnershipLost):
        return Answer(f"{settings.consumer_group}, in use by a supervisor")
    if found:
        raise found[0]
    return Answer(settings.consumer_group)
