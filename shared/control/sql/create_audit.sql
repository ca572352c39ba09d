-- What moved checkpoints beside the stream, people or a quarantine: who, when, and the row before and after as JSON.
CREATE TABLE IF NOT EXISTS evsup_audit (
    fully_qualified_namespace TEXT NOT NULL,
    eventhub_name TEXT NOT NULL,
    consumer_group TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id, audit_id)
)
