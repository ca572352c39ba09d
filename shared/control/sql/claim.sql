-- Take a partition that nobody holds: never claimed, released or expired. A claim that comes again under its own etag
-- is one whose reply was lost: it finds its row and gets the same epoch. The epoch also stays above the checkpoint's,
-- which may have been imported or have outlived a deleted ownership row. A lease lasts as long as its own row says; a row
-- of an older evsup does not say it. One that is ahead of the clock by as much was written before the clock was set back.
-- Beyond 1e11 seconds it is no time at all, and no lease ends by it. Its age is counted by the clock: now() is when the
-- transaction began, and a lease that was renewed while it waited for a lock would look ahead of the clock.
-- https://www.postgresql.org/docs/current/functions-datetime.html#FUNCTIONS-DATETIME-CURRENT
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
        WHEN held.etag = excluded.etag THEN held.epoch
        ELSE greatest(held.epoch + 1, excluded.epoch)
    END,
    owner_id = excluded.owner_id,
    etag = excluded.etag,
    last_modified_time = excluded.last_modified_time,
    expiration_s = excluded.expiration_s
WHERE held.owner_id = ''
    OR abs(date_part('epoch', clock_timestamp()) - date_part('epoch', held.last_modified_time))
        BETWEEN COALESCE(held.expiration_s, :expiration_s) AND 1e11
    OR (held.etag = excluded.etag AND held.owner_id = excluded.owner_id)
RETURNING epoch
