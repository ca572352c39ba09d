-- The supervisors of the group, also those whose heartbeat is old.
SELECT
    owner_id, host, pid, capacity, version, date_part('epoch', last_seen) AS last_seen_s,
    date_part('epoch', clock_timestamp()) - date_part('epoch', last_seen) AS age_s,
    COALESCE(expiration_s, :expiration_s) AS expiration_s
FROM evsup_supervisor
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group
ORDER BY owner_id
