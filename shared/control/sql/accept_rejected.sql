-- Go on without rows that Snowflake rejected: they are counted as known. Position and channel stay, and so does the time
-- of the position, which says what is older. No row comes back when a newer epoch is stored.
UPDATE evsup_checkpoint SET epoch = :epoch, rows_error_count = :rows_error_count, unsettled_from = NULL
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id AND epoch <= :epoch
RETURNING epoch
