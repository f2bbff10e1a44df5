-- Which server this is since its last start, which database of it, and where its tables of open jobs are.
SELECT
    extract(epoch FROM pg_postmaster_start_time())::text AS started, d.oid::bigint AS database,
    to_regclass($1::text)::oid::bigint AS tables
FROM pg_catalog.pg_database AS d
WHERE d.datname = current_database()
