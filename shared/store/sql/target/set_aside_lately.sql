-- How many events of a partition were set aside in the last hour, those of the range that is at hand left out: they may
-- be there from an earlier try.
SELECT COUNT(*) AS EVENT_COUNT
FROM {quarantine}
WHERE FULLY_QUALIFIED_NAMESPACE = :fully_qualified_namespace AND EVENTHUB_NAME = :eventhub_name
    AND CONSUMER_GROUP = :consumer_group AND PARTITION_ID = :partition_id
    AND SEQUENCE_NUMBER NOT BETWEEN :first AND :last
    AND QUARANTINED_AT > DATEADD(HOUR, -1, CURRENT_TIMESTAMP())
