-- Say that a supervisor is alive.
UPDATE evsup_supervisor SET
    host = :host,
    pid = :pid,
    capacity = :capacity,
    version = :version,
    last_seen = SYSDATE(),
    expiration_s = :expiration_s
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND owner_id = :owner_id
