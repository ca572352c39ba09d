-- Bodies that are not JSON, as text. BODY_TEXT is NULL for bytes that are not UTF-8.
{create_view} AS
SELECT
    {address},
    {refusal},
    TRY_BASE64_DECODE_STRING({base64}) AS BODY_TEXT
FROM {table}
WHERE {decode_error} IS NOT NULL;
