-- Write a checkpoint under its epoch. No row comes back when a newer epoch is stored, or when the position would move
-- back and may not.
INSERT INTO evsup_checkpoint AS stored (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id,
    sequence_number, "offset", epoch, rows_error_count, hub_created_at, updated_at
) VALUES (
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id,
    :sequence_number, :offset, :epoch, :rows_error_count, to_timestamp(:hub_created_at_s), now()
)
ON CONFLICT (fully_qualified_namespace, eventhub_name, consumer_group, partition_id) DO UPDATE SET
    sequence_number = excluded.sequence_number,
    "offset" = excluded."offset",
    epoch = excluded.epoch,
    rows_error_count = excluded.rows_error_count,
    hub_created_at = excluded.hub_created_at,
    updated_at = excluded.updated_at
WHERE stored.epoch <= excluded.epoch
    AND (:may_move_back OR stored.sequence_number IS NULL OR excluded.sequence_number >= stored.sequence_number)
RETURNING epoch
