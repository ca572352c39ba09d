-- Compiled and not run: fails when the role may not insert.
EXPLAIN INSERT INTO {quarantine} (PARTITION_ID, SEQUENCE_NUMBER) SELECT '', 0
