-- The sequence numbers from :first to :last of a partition that no row has, in runs.
SELECT PREVIOUS + 1 AS FIRST_NUMBER, SEQUENCE_NUMBER - 1 AS LAST_NUMBER
FROM (
    SELECT SEQUENCE_NUMBER, LAG(SEQUENCE_NUMBER, 1, :first - 1) OVER (ORDER BY SEQUENCE_NUMBER) AS PREVIOUS
    FROM (
        SELECT SEQUENCE_NUMBER
        FROM ({rows})
        WHERE PARTITION_ID = :partition_id AND SEQUENCE_NUMBER BETWEEN :first AND :last
        UNION ALL
        SELECT :last + 1
    )
)
WHERE SEQUENCE_NUMBER > PREVIOUS + 1
ORDER BY FIRST_NUMBER
