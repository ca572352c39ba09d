-- Take a partition that somebody left: released, or expired. A claim that comes again under its own etag is one whose
-- reply was lost: it finds its row and gets the same epoch. The epoch also stays above the checkpoint's, which may have
-- been imported or have outlived a deleted ownership row. A lease lasts as long as its own row says; a row of an older
-- evsup does not say it. One that is ahead of the clock by as much was written before the clock was set back.
UPDATE evsup_ownership SET
    epoch = IFF(evsup_ownership.etag = :etag, evsup_ownership.epoch, GREATEST(evsup_ownership.epoch + 1, above.epoch)),
    owner_id = :owner_id,
    etag = :etag,
    last_modified_time = SYSDATE(),
    expiration_s = :expiration_s
FROM (
    SELECT 1 + COALESCE(MAX(epoch), 0) AS epoch FROM evsup_checkpoint
    WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
        AND consumer_group = :consumer_group AND partition_id = :partition_id
) AS above
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id
    AND (
        owner_id = ''
        OR ABS(DATEDIFF(MILLISECOND, last_modified_time, SYSDATE()))
            BETWEEN COALESCE(expiration_s, :expiration_s) * 1000 AND 1e14
        OR (etag = :etag AND owner_id = :owner_id)
    )
