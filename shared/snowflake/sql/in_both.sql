-- The events whose rows are in the target table, and those whose rows were rejected, in the quarantine.
-- Azure ignores the case of the names.
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME, 0 AS QUARANTINED, NULL AS CHANNEL
FROM {events}
UNION ALL
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME, 1 AS QUARANTINED, CHANNEL
FROM {quarantine}
WHERE LOWER(FULLY_QUALIFIED_NAMESPACE) = LOWER(:fully_qualified_namespace)
    AND LOWER(EVENTHUB_NAME) = LOWER(:eventhub_name) AND LOWER(CONSUMER_GROUP) = LOWER(:consumer_group)
