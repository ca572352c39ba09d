-- Version 6: of the rows so far nobody knows it. Definitions commit one by one here, so this may have been done already.
-- https://docs.snowflake.com/en/sql-reference/sql/alter-table
ALTER TABLE evsup_checkpoint ADD COLUMN IF NOT EXISTS checked_up_to NUMBER(38, 0)
