-- The row as a claim of this etag has left it; no row when somebody came after.
SELECT
    partition_id, owner_id, etag, epoch, DATE_PART(EPOCH_MICROSECOND, last_modified_time)::FLOAT / 1000000 AS last_modified_s,
    DATEDIFF(MICROSECOND, last_modified_time, SYSDATE())::FLOAT / 1000000 AS age_s,
    expiration_s
FROM evsup_ownership
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id AND etag = :etag
