-- Planned and not run: fails when the role may not insert.
-- https://docs.snowflake.com/en/sql-reference/sql/explain, https://www.postgresql.org/docs/current/sql-explain.html
EXPLAIN INSERT INTO evsup_audit SELECT * FROM evsup_audit
