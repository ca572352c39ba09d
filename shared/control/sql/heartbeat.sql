-- Say that a supervisor is alive.
INSERT INTO evsup_supervisor (
    fully_qualified_namespace, eventhub_name, consumer_group, owner_id, host, pid, capacity, version, last_seen,
    expiration_s
) VALUES (
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :owner_id, :host, :pid, :capacity, :version, now(),
    :expiration_s
)
ON CONFLICT (fully_qualified_namespace, eventhub_name, consumer_group, owner_id) DO UPDATE SET
    host = excluded.host,
    pid = excluded.pid,
    capacity = excluded.capacity,
    version = excluded.version,
    last_seen = excluded.last_seen,
    expiration_s = excluded.expiration_s
