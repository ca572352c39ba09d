-- Standard tables, for CONTROL_OWNERSHIP_MODE=local_single_consumer_smoke alone: Snowflake enforces no key of them. Run in
-- the schema of CONTROL_SNOWFLAKE_DATABASE and CONTROL_SNOWFLAKE_SCHEMA.
-- The version of these tables, in one row.
CREATE TABLE IF NOT EXISTS evsup_schema (
    name VARCHAR(64) NOT NULL,
    version NUMBER(38, 0) NOT NULL,
    PRIMARY KEY (name)
)
