-- Write a position under the epoch of an operator's term, wherever it is, and begin the next channel with it: the token
-- of the present one contradicts the new position. No row comes back when a newer epoch is stored.
UPDATE evsup_checkpoint SET
    sequence_number = :sequence_number,
    "offset" = :offset,
    epoch = :epoch,
    rows_error_count = 0,
    hub_created_at = to_timestamp(:hub_created_at_s),
    channel_generation = channel_generation + 1,
    begins_after = :sequence_number,
    unsettled_from = NULL,
    last_enqueued = NULL,
    lag_events = NULL,
    checked_up_to = CASE WHEN checked_up_to < :sequence_number THEN checked_up_to ELSE :sequence_number END,
    enqueued_at = to_timestamp(:enqueued_at_s),
    updated_at = now()
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id AND epoch <= :epoch
RETURNING epoch
