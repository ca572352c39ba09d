-- Version 2.
ALTER TABLE evsup_checkpoint ADD COLUMN opened_generation BIGINT NOT NULL DEFAULT 0
