-- The running supervisors; last_seen is their heartbeat, and expiration_s how long they count as alive after it.
CREATE HYBRID TABLE IF NOT EXISTS evsup_supervisor (
    fully_qualified_namespace VARCHAR(256) NOT NULL,
    eventhub_name VARCHAR(256) NOT NULL,
    consumer_group VARCHAR(256) NOT NULL,
    owner_id VARCHAR(256) NOT NULL,
    host VARCHAR NOT NULL,
    pid NUMBER(38, 0) NOT NULL,
    capacity NUMBER(38, 0),
    version VARCHAR NOT NULL,
    last_seen TIMESTAMP_NTZ NOT NULL,
    expiration_s FLOAT,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, owner_id)
)
