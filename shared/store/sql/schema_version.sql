-- The version of the tables; fails when one of the others is missing or may not be read.
SELECT
    version,
    EXISTS (SELECT 1 FROM evsup_ownership) AS any_ownership,
    EXISTS (SELECT 1 FROM evsup_checkpoint) AS any_checkpoint,
    EXISTS (SELECT 1 FROM evsup_supervisor) AS any_supervisor
FROM evsup_schema
WHERE name = 'control'
