-- The version of the tables.
SELECT version FROM evsup_schema WHERE name = 'control'
