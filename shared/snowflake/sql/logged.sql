-- What the error table has of a run of a partition's events, the newest last: the row as it was sent and the reason.
-- Anybody may load into the table, also rows of another hub with the same numbers: those came through another channel.
-- https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-error-tables
SELECT
    TRY_TO_NUMBER({logged_number}) AS SEQUENCE_NUMBER,
    {logged_offset} AS EVENT_OFFSET,
    {logged_time} AS ENQUEUED_TIME,
    ERROR_DATA::VARCHAR AS ROW_JSON,
    ERROR_CODE,
    ERROR_METADATA:"error_message"::VARCHAR AS MESSAGE
FROM ERROR_TABLE({table})
WHERE {logged_partition} = :partition_id AND TRY_TO_NUMBER({logged_number}) BETWEEN :first AND :last
    AND UPPER(COALESCE(ERROR_METADATA:"details"."channel_name"::VARCHAR, :channel)) = UPPER(:channel)
    AND (:created_at IS NULL OR TRY_CAST({logged_time} AS TIMESTAMP_TZ) >= CAST(:created_at AS TIMESTAMP_TZ))
ORDER BY "TIMESTAMP"
