-- The events whose rows are in the target table.
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME, 0 AS QUARANTINED
FROM {events}
