-- Version 5: of the rows so far nobody knows it.
ALTER TABLE evsup_checkpoint ADD COLUMN lag_events BIGINT
