-- Remove the heartbeat row of a supervisor that stopped in order.
DELETE FROM evsup_supervisor
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND owner_id = :owner_id
