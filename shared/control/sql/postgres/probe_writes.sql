-- Locks no row, and fails where none can be locked for a change: on a standby, or in a transaction that only reads.
-- https://www.postgresql.org/docs/current/sql-set-transaction.html
SELECT 1 FROM evsup_ownership WHERE false FOR UPDATE
