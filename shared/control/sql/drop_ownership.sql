-- Of one partition, in one spelling of its group.
DELETE FROM evsup_ownership
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id
