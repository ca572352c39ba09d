-- The row is looked for as well: in a standard table no key keeps a second one out.
INSERT INTO evsup_checkpoint (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id,
    sequence_number, "OFFSET", epoch, rows_error_count, hub_created_at, updated_at,
    channel_generation, opened_generation, begins_after, enqueued_at,
    unsettled_from, repeats_up_to, last_enqueued, lag_events, checked_up_to
)
SELECT
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id,
    :sequence_number, :offset, :epoch, :rows_error_count,
    TO_TIMESTAMP_NTZ(ROUND(CAST(:hub_created_at_s AS FLOAT) * 1000000)::NUMBER(38, 0), 6), SYSDATE(),
    :channel_generation, :opened_generation, :begins_after,
    TO_TIMESTAMP_NTZ(ROUND(CAST(:enqueued_at_s AS FLOAT) * 1000000)::NUMBER(38, 0), 6),
    :unsettled_from, :repeats_up_to, :last_enqueued, :lag_events, :checked_up_to
WHERE NOT EXISTS (
    SELECT 1 FROM evsup_checkpoint
    WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
        AND consumer_group = :consumer_group AND partition_id = :partition_id
)
