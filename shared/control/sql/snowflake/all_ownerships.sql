-- Of every group, in whatever spelling.
SELECT
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, owner_id, epoch,
    DATEDIFF(MICROSECOND, last_modified_time, SYSDATE())::FLOAT / 1000000 AS age_s, expiration_s
FROM evsup_ownership
