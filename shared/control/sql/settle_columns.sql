-- The target table had its columns when everything was durable; `terms` is a JSON object whose keys are 'partition epoch'.
UPDATE evsup_checkpoint SET checked_up_to = sequence_number
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id || ' ' || epoch IN (SELECT key FROM json_each(:terms))
RETURNING epoch
