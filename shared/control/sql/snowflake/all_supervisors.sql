-- Of every group, in whatever spelling.
SELECT
    fully_qualified_namespace, eventhub_name, consumer_group, owner_id,
    DATEDIFF(MICROSECOND, last_seen, SYSDATE())::FLOAT / 1000000 AS age_s, expiration_s
FROM evsup_supervisor
