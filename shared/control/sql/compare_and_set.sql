-- What the Azure SDK calls a claim: insert, or change the row whose etag was seen. It renews this way, too; stealing a
-- live row is left out here, whatever the etag. When a lease has ended is said in claim.sql.
INSERT INTO evsup_ownership AS held (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, owner_id, etag, epoch, last_modified_time,
    expiration_s
) VALUES (
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id, :owner_id, :etag,
    1 + COALESCE((
        SELECT epoch FROM evsup_checkpoint
        WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
            AND consumer_group = :consumer_group AND partition_id = :partition_id
    ), 0),
    now(),
    :expiration_s
)
ON CONFLICT (fully_qualified_namespace, eventhub_name, consumer_group, partition_id) DO UPDATE SET
    epoch = CASE
        WHEN excluded.owner_id = held.owner_id THEN held.epoch
        ELSE greatest(held.epoch + 1, excluded.epoch)
    END,
    owner_id = excluded.owner_id,
    etag = excluded.etag,
    last_modified_time = excluded.last_modified_time,
    expiration_s = excluded.expiration_s
WHERE held.etag = :seen_etag
    AND (
        held.owner_id = ''
        OR excluded.owner_id = held.owner_id
        OR abs(date_part('epoch', clock_timestamp()) - date_part('epoch', held.last_modified_time))
            BETWEEN COALESCE(held.expiration_s, :expiration_s) AND 1e11
    )
RETURNING
    partition_id, owner_id, etag, epoch, date_part('epoch', last_modified_time) AS last_modified_s,
    date_part('epoch', clock_timestamp()) - date_part('epoch', last_modified_time) AS age_s,
    expiration_s
