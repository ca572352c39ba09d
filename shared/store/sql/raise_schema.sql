-- Older tables have it now too.
UPDATE evsup_schema SET version = 2 WHERE name = 'control'
