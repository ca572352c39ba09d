-- What moved checkpoints beside the stream, people or a quarantine: who, when, and the row before and after as JSON.
CREATE HYBRID TABLE IF NOT EXISTS evsup_audit (
    fully_qualified_namespace VARCHAR(256) NOT NULL,
    eventhub_name VARCHAR(256) NOT NULL,
    consumer_group VARCHAR(256) NOT NULL,
    partition_id VARCHAR(64) NOT NULL,
    audit_id VARCHAR(64) NOT NULL,
    "AT" TIMESTAMP_NTZ NOT NULL,
    actor VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    before VARCHAR NOT NULL,
    after VARCHAR NOT NULL,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id, audit_id)
)
