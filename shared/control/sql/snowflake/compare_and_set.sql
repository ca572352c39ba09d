-- What the Azure SDK calls a claim: change the row whose etag was seen. It renews this way, too; stealing a live row is
-- left out here, whatever the etag. When a lease has ended is said in claim.sql.
UPDATE evsup_ownership SET
    epoch = IFF(
        :owner_id = evsup_ownership.owner_id, evsup_ownership.epoch,
        GREATEST(evsup_ownership.epoch + 1, above.epoch)
    ),
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
    AND etag = :seen_etag
    AND (
        owner_id = ''
        OR owner_id = :owner_id
        OR ABS(DATEDIFF(MILLISECOND, last_modified_time, SYSDATE()))
            BETWEEN COALESCE(expiration_s, :expiration_s) * 1000 AND 1e14
    )
