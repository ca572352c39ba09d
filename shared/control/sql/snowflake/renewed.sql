-- The terms that a renewal of this etag has renewed.
SELECT partition_id, owner_id, epoch FROM evsup_ownership
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND etag = :etag
