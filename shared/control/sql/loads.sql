-- Which tables the rows of every group are made for, where some were loaded.
SELECT DISTINCT fully_qualified_namespace, eventhub_name, consumer_group, target_columns
FROM evsup_checkpoint
WHERE sequence_number IS NOT NULL AND target_columns IS NOT NULL
