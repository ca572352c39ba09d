-- The same row under the key of its group.
INSERT INTO evsup_checkpoint (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id,
    sequence_number, "OFFSET", epoch, rows_error_count, hub_created_at, updated_at,
    channel_generation, opened_generation, begins_after, enqueued_at, unsettled_from, repeats_up_to,
    last_enqueued, lag_events, checked_up_to, target_columns
)
SELECT
    :key_namespace, :key_eventhub, :key_group, partition_id,
    sequence_number, "OFFSET", epoch, rows_error_count, hub_created_at, updated_at,
    channel_generation, opened_generation, begins_after, enqueued_at, unsettled_from, repeats_up_to,
    last_enqueued, lag_events, checked_up_to, target_columns
FROM evsup_checkpoint
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id
