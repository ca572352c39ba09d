-- Older tables have it now too.
UPDATE evsup_schema SET version = 3 WHERE name = 'control'
