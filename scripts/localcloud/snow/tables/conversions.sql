-- How a pipe converts the value of a JSON key to the type of a column; NULL says that it does not fit.
--
-- `text` is the value as text (of a string: without its quotes), `document` is the value as JSON. The cases and their
-- sources are in tests/integration/localcloud/snow/test_types.py.

-- An integer in a time column counts seconds, milliseconds, microseconds or nanoseconds since 1970, by its size:
-- https://docs.snowflake.com/en/sql-reference/functions/to_timestamp#usage-notes
CREATE TEMP MACRO whole_number(text) AS
    CASE WHEN regexp_full_match(text, '-?\d{1,19}') THEN TRY_CAST(text AS HUGEINT) END;

CREATE TEMP MACRO unix_us(number) AS CASE
    WHEN abs(number) < 31536000000 THEN number * 1000000
    WHEN abs(number) < 31536000000000 THEN number * 1000
    WHEN abs(number) < 31536000000000000 THEN number
    ELSE (number - (number % 1000 + 1000) % 1000) // 1000
END::BIGINT;

-- A date, a time of day and an offset from UTC in ISO 8601; what is missing is ''.
CREATE TEMP MACRO iso(text) AS regexp_extract(
    text,
    '^(\d{4}-\d{1,2}-\d{1,2})([T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)? ?(Z|[+-]\d{2}(?::?\d{2})?)?$',
    ['date', 'time', 'zone']
);

CREATE TEMP MACRO as_boolean(document) AS CASE
    WHEN document IN ('true', 'false') THEN document = 'true'
    WHEN ascii(document) <> 34 THEN NULL
    WHEN lower(document ->> '$') IN ('true', 't', 'yes', 'y', 'on', '1') THEN TRUE
    WHEN lower(document ->> '$') IN ('false', 'f', 'no', 'n', 'off', '0') THEN FALSE
END;

CREATE TEMP MACRO as_date(text) AS CASE
    WHEN iso(text).date <> '' THEN TRY_CAST(iso(text).date AS DATE)
    ELSE make_timestamp(unix_us(whole_number(text)))::DATE
END;

CREATE TEMP MACRO as_time(text) AS CASE
    WHEN regexp_full_match(text, '([01]?\d|2[0-3]):\d{2}(:\d{2}(\.\d{1,9})?)?') THEN TRY_CAST(text AS TIME)
    ELSE make_timestamp(unix_us(whole_number(text)))::TIME
END;

-- The time on the wall: an offset is dropped. An integer is an instant, shown on the clock of the account's zone.
CREATE TEMP MACRO as_timestamp_ntz(text, zone) AS CASE
    WHEN iso(text).date <> '' THEN TRY_CAST(iso(text).date || iso(text).time AS TIMESTAMP)
    ELSE timezone(zone, make_timestamptz(unix_us(whole_number(text))))
END;

-- An instant; the account's zone is taken where the text has none. The first case is the one that evsup writes.
CREATE TEMP MACRO as_timestamp_tz(text, zone) AS CASE
    WHEN suffix(text, 'Z') AND ascii(text) BETWEEN 48 AND 57 THEN TRY_CAST(text AS TIMESTAMPTZ)
    WHEN iso(text).zone <> '' THEN TRY_CAST(replace(text, ' ' || iso(text).zone, iso(text).zone) AS TIMESTAMPTZ)
    WHEN iso(text).date <> '' THEN timezone(zone, TRY_CAST(iso(text).date || iso(text).time AS TIMESTAMP))
    ELSE make_timestamptz(unix_us(whole_number(text)))
END;

-- Without the last digits of a second, which a column of that scale does not keep.
CREATE TEMP MACRO without_digits(value, us) AS value - to_microseconds(microsecond(value) % us);

CREATE TEMP MACRO as_float(text) AS CASE
    WHEN contains(text, '_') OR NOT isfinite(TRY_CAST(text AS DOUBLE))
    THEN CASE WHEN regexp_full_match(text, '(?i)[+-]?(nan|inf|infinity)') THEN TRY_CAST(text AS DOUBLE) END
    ELSE TRY_CAST(text AS DOUBLE)
END;

CREATE TEMP MACRO as_array(document) AS
    CASE WHEN ascii(document) = 91 THEN document ELSE '[' || document || ']' END::JSON;

CREATE TEMP MACRO as_object(document) AS CASE
    WHEN ascii(document) = 123 THEN document
    WHEN ascii(document) = 34 AND TRY(json_type(document ->> '$')) = 'OBJECT' THEN (document ->> '$')::JSON
END;
