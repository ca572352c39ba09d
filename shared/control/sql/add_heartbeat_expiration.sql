-- Version 4.
ALTER TABLE evsup_supervisor ADD COLUMN expiration_s DOUBLE PRECISION
