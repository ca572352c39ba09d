-- Version 6: of the rows so far nobody knows it.
ALTER TABLE evsup_checkpoint ADD COLUMN checked_up_to BIGINT
