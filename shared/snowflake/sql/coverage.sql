-- How many of a run of a partition's sequence numbers have a row, and the first event that was quarantined and has one
-- more row, in the target table or in the quarantine. A number that the hub gave twice belongs to two events; without an
-- enqueued time, so does one that two channels quarantined.
SELECT
    COUNT(DISTINCT SEQUENCE_NUMBER) AS NUMBER_COUNT,
    MIN(CASE WHEN QUARANTINED_COUNT > 0 AND ROW_COUNT > EVENT_COUNT THEN SEQUENCE_NUMBER END) AS DUPLICATED_NUMBER
FROM (
    SELECT
        SEQUENCE_NUMBER, COUNT(*) AS ROW_COUNT, SUM(QUARANTINED) AS QUARANTINED_COUNT,
        CASE WHEN ENQUEUED_TIME IS NULL THEN COUNT(DISTINCT CHANNEL) ELSE 1 END AS EVENT_COUNT
    FROM ({rows})
    WHERE PARTITION_ID = :partition_id AND SEQUENCE_NUMBER BETWEEN :first AND :last
    GROUP BY SEQUENCE_NUMBER, ENQUEUED_TIME
)
