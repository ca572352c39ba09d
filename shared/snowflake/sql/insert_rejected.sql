-- Quarantine rejected events; :events is a JSON array of them. One that is there already stays as it is, so that the
-- statement may be repeated. An event is identified by its enqueued time, too, because another hub counts from 0 again.
-- One without a time is identified by its channel, because another hub has another one.
-- A join, because Snowflake evaluates only some subqueries that look at the query around them:
-- https://docs.snowflake.com/en/user-guide/querying-subqueries
INSERT INTO {quarantine} (
    FULLY_QUALIFIED_NAMESPACE, EVENTHUB_NAME, CONSUMER_GROUP, PARTITION_ID, SEQUENCE_NUMBER, "OFFSET", ENQUEUED_TIME,
    BODY, ROW_JSON, REASON, CHANNEL, EPOCH, QUARANTINED_AT
)
SELECT
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id, EVENT.SEQUENCE_NUMBER, EVENT."OFFSET",
    EVENT.ENQUEUED_TIME, EVENT.BODY, EVENT.ROW_JSON, COALESCE(EVENT.REASON, :reason), :channel, :epoch,
    CURRENT_TIMESTAMP()
FROM (
    SELECT
        VALUE:SEQUENCE_NUMBER::NUMBER(38, 0) AS SEQUENCE_NUMBER,
        VALUE:"OFFSET"::VARCHAR AS "OFFSET",
        TRY_CAST(VALUE:ENQUEUED_TIME::VARCHAR AS TIMESTAMP_TZ) AS ENQUEUED_TIME,
        TO_BINARY(VALUE:BODY::VARCHAR, 'HEX') AS BODY,
        VALUE:ROW_JSON::VARCHAR AS ROW_JSON,
        VALUE:REASON::VARCHAR AS REASON
    FROM TABLE(FLATTEN(INPUT => PARSE_JSON(:events)))
) AS EVENT
LEFT JOIN {quarantine} AS KNOWN
    ON LOWER(KNOWN.FULLY_QUALIFIED_NAMESPACE) = LOWER(:fully_qualified_namespace)
    AND LOWER(KNOWN.EVENTHUB_NAME) = LOWER(:eventhub_name) AND LOWER(KNOWN.CONSUMER_GROUP) = LOWER(:consumer_group)
    AND KNOWN.PARTITION_ID = :partition_id
    AND KNOWN.SEQUENCE_NUMBER = EVENT.SEQUENCE_NUMBER AND EQUAL_NULL(KNOWN.ENQUEUED_TIME, EVENT.ENQUEUED_TIME)
    AND (KNOWN.ENQUEUED_TIME IS NOT NULL OR KNOWN.CHANNEL = :channel)
WHERE KNOWN.SEQUENCE_NUMBER IS NULL
