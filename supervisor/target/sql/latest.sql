-- The newest event of each key, unless it deletes the key. In a partition the sequence number decides. Between
-- partitions Event Hubs keeps no order, so the enqueued time decides there. Events without the key are left out.
{create_view} AS
WITH KEYED AS (
    SELECT
        *,
        {key}
    FROM {table}
),
NEWEST_OF_PARTITION AS (
    SELECT *
    FROM KEYED
    WHERE {has_key}
    QUALIFY ROW_NUMBER() OVER (PARTITION BY {parts}, {partition_id} ORDER BY {sequence_number} DESC) = 1
),
NEWEST AS (
    SELECT *
    FROM NEWEST_OF_PARTITION
    QUALIFY ROW_NUMBER() OVER (PARTITION BY {parts} ORDER BY {enqueued_time} DESC NULLS LAST, {partition_id} DESC) = 1
)
SELECT
    {columns}
FROM NEWEST
WHERE NOT COALESCE({deletes}, FALSE);
