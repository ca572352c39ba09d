INSERT INTO evsup_schema (name, version) VALUES ('control', 1) ON CONFLICT (name) DO NOTHING
