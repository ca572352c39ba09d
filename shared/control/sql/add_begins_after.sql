-- Version 2.
ALTER TABLE evsup_checkpoint ADD COLUMN begins_after BIGINT
