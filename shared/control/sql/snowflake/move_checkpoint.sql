-- Write a position under the epoch of an operator's term, wherever it is, and begin the next channel with it: the token
-- of the present one contradicts the new position. Changes no row when a newer epoch is stored.
UPDATE evsup_checkpoint SET
    sequence_number = :sequence_number,
    "OFFSET" = :offset,
    epoch = :epoch,
    rows_error_count = 0,
    hub_created_at = TO_TIMESTAMP_NTZ(ROUND(CAST(:hub_created_at_s AS FLOAT) * 1000000)::NUMBER(38, 0), 6),
    channel_generation = channel_generation + 1,
    begins_after = :sequence_number,
    unsettled_from = NULL,
    last_enqueued = NULL,
    lag_events = NULL,
    checked_up_to = CASE WHEN checked_up_to < :sequence_number THEN checked_up_to ELSE :sequence_number END,
    enqueued_at = TO_TIMESTAMP_NTZ(ROUND(CAST(:enqueued_at_s AS FLOAT) * 1000000)::NUMBER(38, 0), 6),
    updated_at = SYSDATE()
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id AND epoch <= :epoch
