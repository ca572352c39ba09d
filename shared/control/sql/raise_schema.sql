-- Older tables have it now too.
UPDATE evsup_schema SET version = 6 WHERE name = 'control'
