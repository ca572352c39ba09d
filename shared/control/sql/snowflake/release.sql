-- Give partitions back. The rows stay, for they carry the epoch. `terms` is as in renew.sql.
UPDATE evsup_ownership SET owner_id = '', etag = :etag, last_modified_time = SYSDATE()
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group
    AND partition_id || ' ' || epoch || ' ' || owner_id IN (
        SELECT key FROM TABLE(FLATTEN(INPUT => PARSE_JSON(:terms)))
    )
