-- How many sessions the server has for everybody, and how many are taken by others than evsup.
-- https://www.postgresql.org/docs/current/runtime-config-connection.html
SELECT
    CAST(current_setting('max_connections') AS int) - CAST(current_setting('superuser_reserved_connections') AS int)
        - CAST(COALESCE(current_setting('reserved_connections', true), '0') AS int) AS most,
    CAST((SELECT COALESCE(sum(numbackends), 0) FROM pg_stat_database) AS int) - CAST((
        SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND application_name = 'evsup'
    ) AS int) AS others
