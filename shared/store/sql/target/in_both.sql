-- The events whose rows are in the target table, and those whose rows were rejected and set aside.
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME, 0 AS SET_ASIDE, NULL AS CHANNEL
FROM {table}
UNION ALL
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME, 1 AS SET_ASIDE, CHANNEL
FROM {quarantine}
WHERE FULLY_QUALIFIED_NAMESPACE = :fully_qualified_namespace AND EVENTHUB_NAME = :eventhub_name
    AND CONSUMER_GROUP = :consumer_group
