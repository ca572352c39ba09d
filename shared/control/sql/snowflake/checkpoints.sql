-- The checkpoint rows of the group; of one partition when `partition_id` is not null.
SELECT
    partition_id, sequence_number, "OFFSET", epoch, rows_error_count,
    DATE_PART(EPOCH_MICROSECOND, hub_created_at)::FLOAT / 1000000 AS hub_created_at_s,
    DATE_PART(EPOCH_MICROSECOND, updated_at)::FLOAT / 1000000 AS updated_at_s,
    DATEDIFF(MICROSECOND, updated_at, SYSDATE())::FLOAT / 1000000 AS age_s,
    channel_generation, opened_generation, begins_after,
    DATE_PART(EPOCH_MICROSECOND, enqueued_at)::FLOAT / 1000000 AS enqueued_at_s,
    unsettled_from, repeats_up_to, last_enqueued, checked_up_to, target_columns
FROM evsup_checkpoint
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = COALESCE(:partition_id, partition_id)
ORDER BY partition_id
