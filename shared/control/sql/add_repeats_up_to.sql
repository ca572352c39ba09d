-- Version 4: of the rows so far nobody knows it.
ALTER TABLE evsup_checkpoint ADD COLUMN repeats_up_to BIGINT
