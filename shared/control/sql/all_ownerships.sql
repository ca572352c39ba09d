-- Of every group, in whatever spelling.
SELECT
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, owner_id, epoch,
    date_part('epoch', clock_timestamp()) - date_part('epoch', last_modified_time) AS age_s, expiration_s
FROM evsup_ownership
