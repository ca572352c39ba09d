-- Write a checkpoint under its epoch. Changes no row when a newer epoch or another channel generation is stored, or when
-- the position would move back. The generation is never changed here, and that of the channel last opened only up.
UPDATE evsup_checkpoint SET
    sequence_number = :sequence_number,
    "OFFSET" = :offset,
    epoch = :epoch,
    rows_error_count = :rows_error_count,
    hub_created_at = TO_TIMESTAMP_NTZ(ROUND(CAST(:hub_created_at_s AS FLOAT) * 1000000)::NUMBER(38, 0), 6),
    updated_at = SYSDATE(),
    opened_generation = GREATEST(opened_generation, :opened_generation),
    begins_after = :begins_after,
    enqueued_at = TO_TIMESTAMP_NTZ(ROUND(CAST(:enqueued_at_s AS FLOAT) * 1000000)::NUMBER(38, 0), 6),
    unsettled_from = :unsettled_from,
    repeats_up_to = :repeats_up_to,
    last_enqueued = :last_enqueued,
    lag_events = :lag_events,
    checked_up_to = :checked_up_to
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id
    AND epoch <= :epoch
    AND channel_generation = :channel_generation
    AND (sequence_number IS NULL OR sequence_number <= :sequence_number)
