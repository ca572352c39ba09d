-- The supervisors of the group, also those whose heartbeat is old.
SELECT
    owner_id, host, pid, capacity, version, DATE_PART(EPOCH_MICROSECOND, last_seen)::FLOAT / 1000000 AS last_seen_s,
    DATEDIFF(MICROSECOND, last_seen, SYSDATE())::FLOAT / 1000000 AS age_s,
    COALESCE(expiration_s, :expiration_s) AS expiration_s
FROM evsup_supervisor
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group
ORDER BY owner_id
