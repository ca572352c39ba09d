-- Of every group, in whatever spelling.
SELECT
    fully_qualified_namespace, eventhub_name, consumer_group, owner_id,
    date_part('epoch', clock_timestamp()) - date_part('epoch', last_seen) AS age_s, expiration_s
FROM evsup_supervisor
