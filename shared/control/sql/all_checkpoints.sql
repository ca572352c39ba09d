-- Of every group, in whatever spelling.
SELECT
    fully_qualified_namespace, eventhub_name, consumer_group, partition_id, sequence_number, epoch,
    channel_generation, opened_generation, begins_after
FROM evsup_checkpoint
