-- Raise the checkpoint row to a new owner's epoch: from then on, every write of an older epoch is refused. Changes no
-- row when a newer owner came first.
UPDATE evsup_checkpoint SET epoch = :epoch
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id AND epoch <= :epoch
