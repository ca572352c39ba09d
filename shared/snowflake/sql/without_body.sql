-- How many rows of each partition hold no body, and the first and the last of them.
SELECT
    PARTITION_ID, COUNT(*) AS ROW_COUNT, MIN(SEQUENCE_NUMBER) AS FIRST_NUMBER, MAX(SEQUENCE_NUMBER) AS LAST_NUMBER
FROM ({rows})
WHERE (:partition_id IS NULL OR PARTITION_ID = :partition_id)
    AND (:since IS NULL OR ENQUEUED_TIME >= CAST(:since AS TIMESTAMP_TZ))
GROUP BY PARTITION_ID
