-- Planned and not run: fails when the role may not insert.
EXPLAIN INSERT INTO evsup_audit SELECT * FROM evsup_audit
