-- Of these rows the ones of the hub as it is: an earlier one of its name gave the same numbers, and took its last event
-- before this one was created. A row without a time may be of either, and is counted.
SELECT *
FROM ({rows})
WHERE :created_at IS NULL OR ENQUEUED_TIME IS NULL OR ENQUEUED_TIME >= CAST(:created_at AS TIMESTAMP_TZ)
