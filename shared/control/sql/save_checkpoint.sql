-- Write a checkpoint under its epoch. No row comes back when a newer epoch or another channel generation is stored, or
-- when the position would move back. The generation is never changed here, and that of the channel last opened only up.
INSERT INTO evsup_checkpoint AS stored (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id,
    sequence_number, "offset", epoch, rows_error_count, hub_created_at, updated_at,
    channel_generation, opened_generation, begins_after, enqueued_at,
    unsettled_from, repeats_up_to, last_enqueued, lag_events, checked_up_to
) VALUES (
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id,
    :sequence_number, :offset, :epoch, :rows_error_count, to_timestamp(:hub_created_at_s), now(),
    :channel_generation, :opened_generation, :begins_after, to_timestamp(:enqueued_at_s),
    :unsettled_from, :repeats_up_to, :last_enqueued, :lag_events, :checked_up_to
)
ON CONFLICT (fully_qualified_namespace, eventhub_name, consumer_group, partition_id) DO UPDATE SET
    sequence_number = excluded.sequence_number,
    "offset" = excluded."offset",
    epoch = excluded.epoch,
    rows_error_count = excluded.rows_error_count,
    hub_created_at = excluded.hub_created_at,
    updated_at = excluded.updated_at,
    opened_generation = greatest(stored.opened_generation, excluded.opened_generation),
    begins_after = excluded.begins_after,
    enqueued_at = excluded.enqueued_at,
    unsettled_from = excluded.unsettled_from,
    repeats_up_to = excluded.repeats_up_to,
    last_enqueued = excluded.last_enqueued,
    lag_events = excluded.lag_events,
    checked_up_to = excluded.checked_up_to
WHERE stored.epoch <= excluded.epoch
    AND stored.channel_generation = excluded.channel_generation
    AND (stored.sequence_number IS NULL OR excluded.sequence_number >= stored.sequence_number)
RETURNING epoch
