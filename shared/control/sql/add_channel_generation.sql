-- Version 2: every channel so far is the first of its partition.
ALTER TABLE evsup_checkpoint ADD COLUMN channel_generation BIGINT NOT NULL DEFAULT 0
