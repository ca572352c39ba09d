-- Raise the checkpoint row to a new owner's epoch, in the transaction of its claim: from its commit on, every write of
-- an older epoch is refused.
INSERT INTO evsup_checkpoint AS stored (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, epoch, rows_error_count, updated_at
) VALUES (
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id, :epoch, 0, now()
)
ON CONFLICT (fully_qualified_namespace, eventhub_name, consumer_group, partition_id) DO UPDATE SET
    epoch = excluded.epoch
WHERE stored.epoch <= excluded.epoch
RETURNING epoch
