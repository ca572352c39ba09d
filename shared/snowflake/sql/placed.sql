-- How many of a run of a partition's sequence numbers have a row, and the first event that was set aside and has one more
-- row, in the target table or in the quarantine. A number that was given twice is of two events; without a moment, so is
-- one that two channels set aside.
SELECT
    COUNT(DISTINCT SEQUENCE_NUMBER) AS NUMBER_COUNT,
    MIN(CASE WHEN SET_ASIDE_COUNT > 0 AND ROW_COUNT > EVENT_COUNT THEN SEQUENCE_NUMBER END) AS AGAIN_NUMBER
FROM (
    SELECT
        SEQUENCE_NUMBER, COUNT(*) AS ROW_COUNT, SUM(SET_ASIDE) AS SET_ASIDE_COUNT,
        CASE WHEN ENQUEUED_TIME IS NULL THEN COUNT(DISTINCT CHANNEL) ELSE 1 END AS EVENT_COUNT
    FROM ({rows})
    WHERE PARTITION_ID = :partition_id AND SEQUENCE_NUMBER BETWEEN :first AND :last
    GROUP BY SEQUENCE_NUMBER, ENQUEUED_TIME
)
