-- CREATE TABLE IF NOT EXISTS races with itself in PostgreSQL: two at once end in a unique violation of the catalog.
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL extra_float_digits = 1;
SET LOCAL statement_timeout = '7s';
SELECT pg_advisory_xact_lock(hashtext('evsup_schema'))
