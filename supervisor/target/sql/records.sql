-- One row a record: each element of an array, as JSON lines become one, and of `records`, as Azure Monitor writes them.
-- {about_records}
{create_view} AS
SELECT
    {address},
    RECORD.INDEX AS RECORD_INDEX,
    RECORD.VALUE AS RECORD,
    {properties}
FROM
    {table} AS EVENT,
    LATERAL FLATTEN(
        INPUT => {array}
    ) AS RECORD;
