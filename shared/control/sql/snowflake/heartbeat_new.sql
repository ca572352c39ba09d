INSERT INTO evsup_supervisor (
    fully_qualified_namespace, eventhub_name, consumer_group, owner_id, host, pid, capacity, version, last_seen,
    expiration_s
)
SELECT
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :owner_id, :host, :pid, :capacity, :version, SYSDATE(),
    :expiration_s
