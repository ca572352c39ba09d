-- Fails when the target table may not be read.
SELECT PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME FROM {events} WHERE FALSE
