-- Version 4.
ALTER TABLE evsup_supervisor ADD COLUMN IF NOT EXISTS expiration_s FLOAT
