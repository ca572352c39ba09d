-- Give a partition back. The row stays, for it carries the epoch.
UPDATE evsup_ownership SET owner_id = '', etag = :etag, last_modified_time = SYSDATE()
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id
    AND owner_id = :owner_id AND epoch = :epoch
