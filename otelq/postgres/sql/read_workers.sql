-- Reads the live workers. Lists are read as JSON text, so that a row with another value fails alone.
SELECT
    id, name, host, pid, version, queues::text AS queues, types::text AS types, refused::text AS refused, slots,
    running, started_at, seen_at
FROM {schema}.worker
WHERE seen_at >= ({now} - ($2::float8 * interval '1 second'))
    AND seen_at <= ({now} + ($2::float8 * interval '1 second'))
