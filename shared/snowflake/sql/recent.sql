-- How many events of a partition before :first were quarantined in the last hour, and how many of them from :near on. Those
-- of the range that is at hand are left out: they may be there from an earlier try.
SELECT COUNT(*) AS EVENT_COUNT, COUNT(CASE WHEN SEQUENCE_NUMBER >= :near THEN 1 END) AS NEAR_COUNT
FROM ({rows})
WHERE PARTITION_ID = :partition_id AND SEQUENCE_NUMBER < :first
    AND QUARANTINED_AT > DATEADD(HOUR, -1, CURRENT_TIMESTAMP())
