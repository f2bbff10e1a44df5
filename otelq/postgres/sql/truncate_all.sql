-- Empties the tables with DELETE. TRUNCATE would give their space on disk back, and plans rely on that; for the same
-- reason blocker rows with a negative position stay, which belong to no job. The row of cycle_check stays: it is a lock.
WITH a AS (DELETE FROM {schema}.open_job),
b AS (DELETE FROM {schema}.job),
c AS (DELETE FROM {schema}.outcome),
d AS (DELETE FROM {schema}.attempt),
e AS (DELETE FROM {schema}.blocker WHERE position >= 0),
f AS (DELETE FROM {schema}.dedup_key),
g AS (DELETE FROM {schema}.pending_unblock),
h AS (DELETE FROM {schema}.worker),
i AS (DELETE FROM {schema}.leader)
SELECT
