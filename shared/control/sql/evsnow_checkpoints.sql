-- What EvSnow has checkpointed of a hub: the newest row of each partition, for each table that the hub is loaded into.
-- Its older versions appended rows, so there may be many; rows that are equally new all count.
SELECT target_db, target_schema, target_table, partition_id, metadata
FROM (
    SELECT
        target_db, target_schema, target_table, partition_id, CAST(metadata AS VARCHAR) AS metadata,
        RANK() OVER (
            PARTITION BY target_db, target_schema, target_table, partition_id
            ORDER BY ts_inserted DESC NULLS LAST
        ) AS place
    FROM ingestion_status
    WHERE LOWER(eventhub_namespace) = LOWER(:fully_qualified_namespace) AND LOWER(eventhub) = LOWER(:eventhub_name)
        AND partition_id IS NOT NULL
) AS ranked
WHERE place = 1
