-- New tables have the newest version.
INSERT INTO evsup_schema (name, version) VALUES ('control', 6)
