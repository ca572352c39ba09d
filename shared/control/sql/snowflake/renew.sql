-- Renew every term that still holds; `terms` is a JSON object whose keys are 'partition epoch owner'.
UPDATE evsup_ownership SET etag = :etag, last_modified_time = SYSDATE()
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group
    AND partition_id || ' ' || epoch || ' ' || owner_id IN (
        SELECT key FROM TABLE(FLATTEN(INPUT => PARSE_JSON(:terms)))
    )
