-- The rows of the target table that hold no body. Each event has one: JSON in PAYLOAD (a VARIANT null when that is the
-- body), anything else in RAW_BODY (no bytes when the body is empty). NULL in both is a value that Snowflake dropped,
-- because there was no column for it.
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME
FROM {events}
WHERE {payload} IS NULL AND {raw_body} IS NULL
