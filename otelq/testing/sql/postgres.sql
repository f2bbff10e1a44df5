-- The tables of the PostgreSQL adapter under the names that the checks use.
WITH job AS (
    SELECT chain_id, position, type, created_at FROM {schema}.job
),
open_job AS (
    SELECT
        chain_id, position, type, attempt, crashes, 0 AS generation, blocked_by, run_at, token, leased_by, claimed_at
    FROM {schema}.open_job
),
outcome AS (
    SELECT
        chain_id, position, generation, type, status, verb, closed_at, attempt, crashes, token, worker, claimed_at
    FROM {schema}.outcome
),
attempt AS (
    SELECT chain_id, position, token, number, verb, worker, claimed_at, ended_at FROM {schema}.attempt
),
blocker AS (
    SELECT chain_id, position, blocker_id, released_at FROM {schema}.blocker
),
dedup_key AS (
    SELECT type, key, chain_id FROM {schema}.dedup_key
),
pending AS (
    SELECT blocker_id FROM {schema}.pending_unblock
),
