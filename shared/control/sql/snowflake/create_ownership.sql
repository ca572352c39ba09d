-- Who owns a partition. owner_id is empty when it was released; epoch grows at every change of owner, never shrinks.
-- expiration_s is how long the lease lasts after last_modified_time; null: an older evsup claimed it. Times are UTC.
CREATE HYBRID TABLE IF NOT EXISTS evsup_ownership (
    fully_qualified_namespace VARCHAR(256) NOT NULL,
    eventhub_name VARCHAR(256) NOT NULL,
    consumer_group VARCHAR(256) NOT NULL,
    partition_id VARCHAR(64) NOT NULL,
    owner_id VARCHAR NOT NULL,
    etag VARCHAR NOT NULL,
    epoch NUMBER(38, 0) NOT NULL,
    last_modified_time TIMESTAMP_NTZ NOT NULL,
    expiration_s FLOAT,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id)
)
