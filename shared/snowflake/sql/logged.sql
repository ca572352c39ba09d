-- What the error table has of a run of a partition's events, the newest last: the row as it was sent and the reason.
-- https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-error-tables
SELECT
    TRY_TO_NUMBER(ERROR_DATA:"SEQUENCE_NUMBER"::VARCHAR) AS SEQUENCE_NUMBER,
    ERROR_DATA:"OFFSET"::VARCHAR AS EVENT_OFFSET,
    ERROR_DATA:"ENQUEUED_TIME"::VARCHAR AS ENQUEUED_TIME,
    ERROR_DATA::VARCHAR AS ROW_JSON,
    ERROR_CODE,
    ERROR_METADATA:"error_message"::VARCHAR AS MESSAGE
FROM ERROR_TABLE({table})
WHERE ERROR_DATA:"PARTITION_ID"::VARCHAR = :partition_id
    AND TRY_TO_NUMBER(ERROR_DATA:"SEQUENCE_NUMBER"::VARCHAR) BETWEEN :first AND :last
    AND (:created_at IS NULL OR TRY_CAST(ERROR_DATA:"ENQUEUED_TIME"::VARCHAR AS TIMESTAMP_TZ)
        >= CAST(:created_at AS TIMESTAMP_TZ))
ORDER BY "TIMESTAMP"
