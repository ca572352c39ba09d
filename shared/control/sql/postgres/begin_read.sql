-- Limits are local to the transaction, for PgBouncer hands the session to somebody else after it:
-- https://www.pgbouncer.org/features.html
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SET LOCAL statement_timeout = '7s'
