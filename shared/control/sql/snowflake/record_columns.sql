-- The columns of the target table that rows are made for from now on, and up to which event the table was known to have
-- those of before. Changes no row when a newer epoch is stored.
UPDATE evsup_checkpoint SET target_columns = :target_columns, checked_up_to = :checked_up_to
WHERE fully_qualified_namespace = :fully_qualified_namespace AND eventhub_name = :eventhub_name
    AND consumer_group = :consumer_group AND partition_id = :partition_id AND epoch <= :epoch
