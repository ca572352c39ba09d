-- Every partition of the group that was ever claimed. A row of an older evsup does not say how long its lease lasts.
SELECT
    partition_id, owner_id, etag, epoch, DATE_PART(EPOCH_MICROSECOND, last_modified_time)::FLOAT / 1000000 AS last_modified_s,
    DATEDIFF(MICROSECOND, last_modified_time, SYSDATE())::FLOAT / 1000000 AS age_s,
    COALESCE(expiration_s, :expiration_s) AS expiration_s
FROM evsup_ownership
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group
ORDER BY partition_id
