-- The events whose rows were rejected, in the quarantine. An older evsup wrote the names as they were typed, and Azure
-- ignores their case.
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME, QUARANTINED_AT
FROM {quarantine}
WHERE LOWER(FULLY_QUALIFIED_NAMESPACE) = LOWER(:fully_qualified_namespace)
    AND LOWER(EVENTHUB_NAME) = LOWER(:eventhub_name) AND LOWER(CONSUMER_GROUP) = LOWER(:consumer_group)
