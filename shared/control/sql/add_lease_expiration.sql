-- Version 4: a lease of before lasts as long as whoever looks at it says.
ALTER TABLE evsup_ownership ADD COLUMN expiration_s DOUBLE PRECISION
