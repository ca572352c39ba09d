-- Older tables have it now too.
UPDATE evsup_schema SET version = 5 WHERE name = 'control'
