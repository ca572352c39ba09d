-- Take a partition that was never claimed; the primary key refuses it to all but one.
INSERT INTO evsup_ownership (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, owner_id, etag, epoch, last_modified_time,
    expiration_s
)
SELECT
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id, :owner_id, :etag,
    1 + COALESCE(MAX(epoch), 0), SYSDATE(), :expiration_s
FROM evsup_checkpoint
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id
