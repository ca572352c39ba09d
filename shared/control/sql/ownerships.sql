-- Every partition of the group that was ever claimed. A row of an older evsup does not say how long its lease lasts.
SELECT
    partition_id, owner_id, etag, epoch, date_part('epoch', last_modified_time) AS last_modified_s,
    date_part('epoch', clock_timestamp()) - date_part('epoch', last_modified_time) AS age_s,
    COALESCE(expiration_s, :expiration_s) AS expiration_s
FROM evsup_ownership
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group
ORDER BY partition_id
