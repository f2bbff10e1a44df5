-- Identifies the server by its start, the database, and the tables of this schema, so that a caller's connection to
-- another one is refused.
SELECT
    extract(epoch FROM pg_postmaster_start_time())::text AS started, d.oid::bigint AS database,
    to_regclass($1::text)::oid::bigint AS tables
FROM pg_catalog.pg_database AS d
WHERE d.datname = current_database()
