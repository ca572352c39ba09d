-- Who owns a partition. owner_id is empty when it was released; epoch grows at every change of owner, never shrinks.
-- expiration_s is how long the lease lasts after last_modified_time; null: an older evsup claimed it.
CREATE TABLE IF NOT EXISTS evsup_ownership (
    fully_qualified_namespace TEXT NOT NULL,
    eventhub_name TEXT NOT NULL,
    consumer_group TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    etag TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    last_modified_time TIMESTAMPTZ NOT NULL,
    expiration_s DOUBLE PRECISION,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id)
)
