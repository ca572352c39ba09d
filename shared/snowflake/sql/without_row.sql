-- Which of the events, numbered from :first to :last, have no row in the target table; :events is a JSON array of them.
-- The enqueued time counts: a hub may have given a number twice, and then the row is the other event's. So an event
-- without a time counts as without a row.
SELECT EVENT.SEQUENCE_NUMBER
FROM (
    SELECT
        VALUE:SEQUENCE_NUMBER::NUMBER(38, 0) AS SEQUENCE_NUMBER,
        TRY_CAST(VALUE:ENQUEUED_TIME::VARCHAR AS TIMESTAMP_TZ) AS ENQUEUED_TIME
    FROM TABLE(FLATTEN(INPUT => PARSE_JSON(:events)))
) AS EVENT
LEFT JOIN {events} AS TAKEN
    ON TAKEN.PARTITION_ID = :partition_id AND TAKEN.SEQUENCE_NUMBER = EVENT.SEQUENCE_NUMBER
    AND TAKEN.SEQUENCE_NUMBER BETWEEN :first AND :last AND TAKEN.ENQUEUED_TIME = EVENT.ENQUEUED_TIME
WHERE TAKEN.SEQUENCE_NUMBER IS NULL
ORDER BY EVENT.SEQUENCE_NUMBER
