INSERT INTO evsup_checkpoint (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, epoch, rows_error_count, updated_at
)
SELECT :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id, :epoch, 0, SYSDATE()
