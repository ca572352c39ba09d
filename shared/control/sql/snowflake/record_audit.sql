-- Remember what a person did to a checkpoint.
INSERT INTO evsup_audit (
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, audit_id, "AT", actor, action, before, after
)
SELECT
    :fully_qualified_namespace, :eventhub_name, :consumer_group, :partition_id, :audit_id, SYSDATE(), :actor, :action,
    :before, :after
