-- Older tables have it now too.
UPDATE evsup_schema SET version = 4 WHERE name = 'control'
