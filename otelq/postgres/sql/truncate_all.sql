-- Empties the tables by deleting: their room on disk stays, and with it the plans that rely on it, as do the edges that
-- are nobody's.
WITH a AS (DELETE FROM {schema}.open_job),
b AS (DELETE FROM {schema}.job),
c AS (DELETE FROM {schema}.outcome),
d AS (DELETE FROM {schema}.attempt),
e AS (DELETE FROM {schema}.blocker WHERE position >= 0),
f AS (DELETE FROM {schema}.dedup_key),
g AS (DELETE FROM {schema}.pending_unblock)
SELECT
