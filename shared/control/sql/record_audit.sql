-- Remember what a person did to a checkpoint, in the transaction that does it.
INSERT INTO evsup_audit (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, audit_id, at, actor, action, before, after
) VALUES (
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id, :audit_id, now(), :actor, :action,
    :before, :after
)
