-- The same as a table that Snowflake refreshes by itself, for queries that have to be fast. It costs credits.
-- Not tested: nothing local runs dynamic tables. https://docs.snowflake.com/en/user-guide/dynamic-tables-about
CREATE DYNAMIC TABLE {dynamic_table}
TARGET_LAG = '5 minutes'
WAREHOUSE = {warehouse}
AS
SELECT
    {columns}
FROM {view};
