-- The row is looked for as well: in a standard table no key keeps a second one out.
INSERT INTO evsup_checkpoint (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, epoch, rows_error_count, updated_at
)
SELECT :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id, :epoch, 0, SYSDATE()
WHERE NOT EXISTS (
    SELECT 1 FROM evsup_checkpoint
    WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
        AND consumer_group = :consumer_group AND partition_id = :partition_id
)
