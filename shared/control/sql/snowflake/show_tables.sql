-- The tables in the current schema that could be ours. https://docs.snowflake.com/en/sql-reference/sql/show-tables
SHOW TABLES LIKE 'EVSUP_%' IN SCHEMA
