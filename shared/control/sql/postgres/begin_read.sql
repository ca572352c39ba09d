-- Settings are local to the transaction, for PgBouncer hands the session to somebody else after it:
-- https://www.pgbouncer.org/features.html
-- With fewer extra_float_digits, as a role or somebody else in the session may set them, a time loses its last digits.
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SET LOCAL extra_float_digits = 1;
SET LOCAL statement_timeout = '7s'
