-- Settings are local to the transaction, for PgBouncer hands the session to somebody else after it:
-- https://www.pgbouncer.org/features.html
-- With fewer extra_float_digits, as a role or somebody else in the session may set them, a time loses its last digits.
-- The last one ends a worker frozen inside its transaction, which would hold the row's lock against the next owner.
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL extra_float_digits = 1;
SET LOCAL statement_timeout = '7s';
SET LOCAL lock_timeout = '5s';
SET LOCAL idle_in_transaction_session_timeout = '7s'
