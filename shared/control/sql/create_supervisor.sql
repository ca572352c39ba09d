-- The running supervisors; last_seen is their heartbeat, and expiration_s how long they count as alive after it.
CREATE TABLE IF NOT EXISTS evsup_supervisor (
    fully_qualified_namespace TEXT NOT NULL,
    eventhub_name TEXT NOT NULL,
    consumer_group TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    capacity BIGINT,
    version TEXT NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    expiration_s DOUBLE PRECISION,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, owner_id)
)
