-- What the target table holds of each partition: one row a partition, however many events.
SELECT
    PARTITION_ID, COUNT(*) AS ROW_COUNT, COUNT(DISTINCT SEQUENCE_NUMBER) AS NUMBER_COUNT,
    MIN(SEQUENCE_NUMBER) AS FIRST_NUMBER, MAX(SEQUENCE_NUMBER) AS LAST_NUMBER
FROM {table}
WHERE (:partition_id IS NULL OR PARTITION_ID = :partition_id)
    AND (:since IS NULL OR ENQUEUED_TIME >= CAST(:since AS TIMESTAMP_TZ))
GROUP BY PARTITION_ID
