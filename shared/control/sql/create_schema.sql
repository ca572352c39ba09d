-- The version of these tables, in one row.
CREATE TABLE IF NOT EXISTS evsup_schema (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
)
