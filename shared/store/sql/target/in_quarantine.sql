-- The events whose rows were rejected and set aside.
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME, QUARANTINED_AT
FROM {quarantine}
WHERE FULLY_QUALIFIED_NAMESPACE = :fully_qualified_namespace AND EVENTHUB_NAME = :eventhub_name
    AND CONSUMER_GROUP = :consumer_group
