-- Run in the schema of CONTROL_SNOWFLAKE_DATABASE and CONTROL_SNOWFLAKE_SCHEMA, with a warehouse, by a role with
-- GRANT CREATE HYBRID TABLE ON SCHEMA <schema> TO ROLE <role>;
-- the role of evsup needs SELECT, INSERT and UPDATE on these tables, and DELETE on evsup_supervisor.
-- The version of these tables, in one row.
CREATE HYBRID TABLE IF NOT EXISTS evsup_schema (
    name VARCHAR(64) NOT NULL,
    version NUMBER(38, 0) NOT NULL,
    PRIMARY KEY (name)
)
