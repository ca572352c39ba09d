-- How far a partition has come: everything up to sequence_number is durable. It is null when the partition has been
-- claimed and nothing was checkpointed yet. channel_generation says which channel of the partition is written to,
-- opened_generation which one a worker has opened last (the older one, until a worker has begun the newer), and
-- begins_after after which event the channel's rows begin; null: at the oldest event there was. enqueued_at is when the
-- hub took the event of sequence_number, by its own clock; null: not known. unsettled_from is the first event whose row may
-- have been rejected without being counted yet, repeats_up_to the last one that an earlier channel may have written.
-- last_enqueued is the last event of the partition, and lag_events how many were not durable, both as of the write and for
-- whoever scales by them; null: not known. target_columns are the columns of the target table that rows are made for, and
-- checked_up_to is the last event that was durable before somebody saw that the table still had them; null: not known.
CREATE HYBRID TABLE IF NOT EXISTS evsup_checkpoint (
    fully_qualified_namespace VARCHAR(256) NOT NULL,
    eventhub_name VARCHAR(256) NOT NULL,
    consumer_group VARCHAR(256) NOT NULL,
    partition_id VARCHAR(64) NOT NULL,
    sequence_number NUMBER(38, 0),
    "OFFSET" VARCHAR,
    epoch NUMBER(38, 0) NOT NULL,
    rows_error_count NUMBER(38, 0) NOT NULL,
    hub_created_at TIMESTAMP_NTZ,
    updated_at TIMESTAMP_NTZ NOT NULL,
    channel_generation NUMBER(38, 0) DEFAULT 0 NOT NULL,
    opened_generation NUMBER(38, 0) DEFAULT 0 NOT NULL,
    begins_after NUMBER(38, 0),
    enqueued_at TIMESTAMP_NTZ,
    unsettled_from NUMBER(38, 0),
    repeats_up_to NUMBER(38, 0),
    last_enqueued NUMBER(38, 0),
    lag_events NUMBER(38, 0),
    checked_up_to NUMBER(38, 0),
    target_columns VARCHAR,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id)
)
