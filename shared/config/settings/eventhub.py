"""Settings of Event Hubs."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from shared.log.secret import Secret

# Every number has a largest value as well: one far beyond it is a mistake, and would hold up what it is to limit.
BackOff = Annotated[float, Meta(gt=0, le=600)]


class EventHubSettings(Struct, frozen=True, kw_only=True):
    """Where events come from, and how the Azure SDK reads them."""

    prefix: ClassVar[str] = "EVENTHUB_"
    title: ClassVar[str] = "Event Hubs"

    connection_string: Annotated[
        Secret | None,
        Meta(
            description="Used instead of an identity. `UseDevelopmentEmulator=true` works (plain AMQP, any port).",
            examples=["Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=…"],
        ),
    ] = None
    namespace: Annotated[
        str | None, Meta(description="Namespace, with an identity.", examples=["name.servicebus.windows.net"])
    ] = None
    name: Annotated[
        str | None,
        Meta(description="Event hub, unless the connection string has an `EntityPath`.", examples=["flights"]),
    ] = None
    consumer_group: Annotated[
        str, Meta(description="Consumer group; nobody else should use it.", examples=["$Default"])
    ] = "$Default"
    identity: Annotated[
        Literal["default", "azure_cli"],
        Meta(
            description="`default`: DefaultAzureCredential. `azure_cli`: AzureCliCredential, for your own machine only."
        ),
    ] = "default"
    managed_identity_client_id: Annotated[
        str | None,
        Meta(
            description="Client id of a user-assigned managed identity.",
            examples=["00000000-0000-0000-0000-000000000000"],
        ),
    ] = None
    starting_position: Annotated[
        str,
        Meta(
            description="Where a new consumer group begins: `-1` (oldest event), `@latest`, or an ISO 8601 time."
            " Partitions added later are read from their oldest event. `0` is refused.",
            examples=["-1", "@latest", "2026-01-31T00:00:00Z"],
        ),
    ] = "-1"
    prefetch: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="How many events the hub may send ahead. Large events get less, so that they hold 4 MB.",
            examples=["1000"],
        ),
    ] = 1000
    max_batch_size: Annotated[
        int,
        Meta(ge=1, le=100_000, description="How many events one batch may have.", examples=["1000"]),
    ] = 1000
    max_wait_time: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="Seconds that a batch may wait to be full. With `0` it is handed over at once.",
            examples=["0.5"],
        ),
    ] = 0.5
    track_last_enqueued: Annotated[
        bool,
        Meta(
            description="Event Hubs sends the last sequence number with each event: the lag needs no extra call.",
            examples=["true"],
        ),
    ] = True
    retry_total: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            description="Retries of the SDK's management calls. evsup reopens the receiver itself.",
            examples=["3"],
        ),
    ] = 3
    retry_mode: Annotated[
        Literal["exponential", "fixed"],
        Meta(description="How the delays between the SDK's retries grow.", examples=["exponential"]),
    ] = "exponential"
    retry_backoff_factor: Annotated[
        BackOff, Meta(description="Seconds of the SDK's first delay.", examples=["0.8"])
    ] = 0.8
    retry_backoff_max: Annotated[BackOff, Meta(description="Seconds of the SDK's longest delay.", examples=["120"])] = (
        120.0
    )
    transport: Annotated[
        Literal["amqp", "amqp_websocket"], Meta(description="`amqp` uses port 5671, `amqp_websocket` port 443.")
    ] = "amqp"
    proxy: Annotated[
        Secret | None,
        Meta(
            description="HTTP proxy, also of the schema registry. Implies `amqp_websocket`. An identity signs in"
            " through `HTTPS_PROXY`.",
            examples=["http://proxy.example:3128"],
        ),
    ] = None
    custom_endpoint: Annotated[
        str | None,
        Meta(
            description="Address to connect to instead of the namespace's (private link).", examples=["10.0.0.4:5671"]
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Meta(
            description="CA bundle instead of the system's. The sign-in of an identity trusts it beside the system's.",
            examples=["/etc/ssl/private-ca.pem"],
        ),
    ] = None
    load_balancing_interval: Annotated[
        float, Meta(ge=0.1, le=1100, description="Seconds between two balancing rounds.", examples=["10"])
    ] = 10.0
    # With 5 s a worker may trust its lease for 3 (`supervisor.ownership.trust.trust_window_s`), about what its start
    # takes.
    ownership_expiration: Annotated[
        float,
        Meta(ge=5, le=3600, description="Seconds that a lease lasts. More than 3 × the interval.", examples=["60"]),
    ] = 60.0
    load_balancing_strategy: Annotated[
        Literal["greedy", "balanced"],
        Meta(description="`greedy` claims all free partitions at once, `balanced` one in each round."),
    ] = "greedy"
    on_gap: Annotated[
        Literal["fail", "warn"],
        Meta(description="If sequence numbers are missing (retention removed events): stop, or warn and go on."),
    ] = "fail"
    body: Annotated[
        Literal["auto", "raw"],
        Meta(
            description="`auto` decodes bodies by content encoding and content type (docs/bodies.md). `raw` takes them"
            " as JSON or as bytes."
        ),
    ] = "auto"
    schema_registry: Annotated[
        str | None,
        Meta(
            description="Namespace of the Azure Schema Registry, for `avro/binary+ID` bodies.",
            examples=["name.servicebus.windows.net"],
        ),
    ] = None
    avro_schema_file: Annotated[
        str | None,
        Meta(
            description="Avro schema of bodies whose messages name none (docs/bodies.md).",
            examples=["/etc/evsup/flight.avsc"],
        ),
    ] = None
    retention_hours: Annotated[
        # 90 days at most, in the Premium and Dedicated tiers:
        # https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
        Annotated[int, Meta(ge=1, le=2160)] | None,
        Meta(
            description="The hub's retention. `status` and metrics then show the time to loss. Empty: not known.",
            examples=["24"],
        ),
    ] = None
