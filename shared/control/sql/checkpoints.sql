-- The checkpoint rows of the group; of one partition when `partition_id` is not null.
SELECT
    partition_id, sequence_number, "offset", epoch, rows_error_count,
    date_part('epoch', hub_created_at) AS hub_created_at_s, date_part('epoch', updated_at) AS updated_at_s,
    date_part('epoch', clock_timestamp()) - date_part('epoch', updated_at) AS age_s,
    channel_generation, opened_generation, begins_after, date_part('epoch', enqueued_at) AS enqueued_at_s,
    unsettled_from, repeats_up_to, last_enqueued, checked_up_to, target_columns
FROM evsup_checkpoint
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = COALESCE(:partition_id, partition_id)
ORDER BY partition_id
