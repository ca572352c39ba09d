-- Version 3: of the rows so far nobody knows it.
ALTER TABLE evsup_checkpoint ADD COLUMN enqueued_at TIMESTAMPTZ
