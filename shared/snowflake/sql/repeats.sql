-- The first sequence numbers that more than one row of a partition has.
SELECT SEQUENCE_NUMBER, COUNT(*) AS ROW_COUNT
FROM ({rows})
WHERE PARTITION_ID = :partition_id AND (:since IS NULL OR ENQUEUED_TIME >= CAST(:since AS TIMESTAMP_TZ))
GROUP BY SEQUENCE_NUMBER
HAVING COUNT(*) > 1
ORDER BY SEQUENCE_NUMBER
LIMIT 5
