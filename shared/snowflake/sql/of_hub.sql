-- Of these rows the ones of events of the hub as it is: an earlier one of its name gave the same numbers, and took its
-- last event before this one was created. A row without a time may be of either, and is counted. Anybody may insert a
-- row: one without a number, or with one that no event can have (63 bits), is of no event.
SELECT *
FROM ({rows})
WHERE SEQUENCE_NUMBER BETWEEN 0 AND 9223372036854775807
    AND (:created_at IS NULL OR ENQUEUED_TIME IS NULL OR ENQUEUED_TIME >= CAST(:created_at AS TIMESTAMP_TZ))
