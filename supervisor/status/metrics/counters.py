"""Name, unit and meaning of the metrics whose values come from the workers' reports."""

from supervisor.status.metrics.metric import Unit

# By field of `Counters`: the metric's name, unit and meaning.
COUNTERS: dict[str, tuple[str, Unit, str]] = {
    "received": (
        "evsup_received_sequence_number",
        "",
        "Sequence number of the last event received from Event Hubs.",
    ),
    "appended": (
        "evsup_appended_sequence_number",
        "",
        "Sequence number of the last event appended to the Snowpipe Streaming channel.",
    ),
    "durable": (
        "evsup_durable_sequence_number",
        "",
        "Sequence number of the last event that Snowflake has committed.",
    ),
    "checkpointed": (
        "evsup_checkpointed_sequence_number",
        "",
        "Sequence number of the last event in the checkpoint row, after which another owner would resume.",
    ),
    "rows_total": (
        "evsup_appended_rows_total",
        "rows",
        "Rows appended to the Snowpipe Streaming channel since the worker's start.",
    ),
    "bytes_total": (
        "evsup_appended_bytes_total",
        "bytes",
        "Bytes of JSON in the rows appended since the worker's start.",
    ),
    "rows_inflight": ("evsup_inflight_rows", "rows", "Rows appended that Snowflake has not committed yet."),
    "bytes_inflight": (
        "evsup_inflight_bytes",
        "bytes",
        "Bytes of JSON in the rows appended that Snowflake has not committed yet.",
    ),
    "unknown_keys_total": (
        "evsup_unknown_keys_total",
        "",
        "Values of keys without a column that were kept in _EVSUP since the worker's start.",
    ),
    "unusual_total": (
        "evsup_unusual_events_total",
        "events",
        "Events that were read section by section, which takes longer, because their encoding is not the usual one.",
    ),
    "decoded_by_sdk_total": (
        "evsup_sections_decoded_by_sdk_total",
        "",
        "Sections of events that only the Azure SDK's functions could decode, which takes longest.",
    ),
    "duplicates_total": (
        "evsup_duplicates_dropped_total",
        "events",
        "Events that Event Hubs delivered again and the worker dropped before the channel, since its start.",
    ),
    "gap_events_total": (
        "evsup_gap_events_total",
        "events",
        "Sequence numbers that never came and were passed (EVENTHUB_ON_GAP=warn), since the worker's start.",
    ),
    "receiver_reopened_total": (
        "evsup_receiver_reopened_total",
        "",
        "Links of the receiver that broke and were opened again, since the worker's start.",
    ),
    "hub_throttled_total": (
        "evsup_hub_throttled_total",
        "",
        "Links that Event Hubs broke or refused because it throttles (server-busy), since the worker's start.",
    ),
    "snowflake_throttled_total": (
        "evsup_snowflake_throttled_total",
        "",
        "Requests that Snowflake refused because it throttles (429), and the SDK sent again, since the worker's start.",
    ),
    "append_retries_total": (
        "evsup_append_retries_total",
        "",
        "Appends that the streaming SDK did not take for now, because it holds as many rows as it may.",
    ),
    "status_retries_total": (
        "evsup_status_retries_total",
        "",
        "Readings of the channel's status that failed (429, 5xx, the network) and were tried again.",
    ),
    "checkpoint_retries_total": (
        "evsup_checkpoint_retries_total",
        "",
        "Writes of the checkpoint that failed in the control store and were tried again.",
    ),
    "billable_bytes_total": (
        "evsup_billable_bytes_total",
        "bytes",
        "Estimated bytes of the values in the rows appended since the worker's start: Snowflake does not bill keys.",
    ),
    "quarantined_total": (
        "evsup_quarantined_rows_total",
        "rows",
        "Rows that Snowflake rejected and the worker quarantined, since its start.",
    ),
    "decode_errors_total": (
        "evsup_decode_errors_total",
        "rows",
        "Rows with a DECODE_ERROR, whose body is kept as it came, appended since the worker's start.",
    ),
}
