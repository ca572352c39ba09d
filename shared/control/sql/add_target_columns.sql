-- Version 6: of the rows so far nobody knows it.
ALTER TABLE evsup_checkpoint ADD COLUMN target_columns TEXT
