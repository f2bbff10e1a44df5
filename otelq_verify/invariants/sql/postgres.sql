-- The tables of the PostgreSQL adapter under the names that the checks use.
WITH job AS (
    SELECT chain_id, position, type, created_at FROM {schema}.job
),
open_job AS (
    SELECT
        chain_id, position, type, attempt, crashes, blocked_by, run_at, token, leased_by, claimed_at
    FROM {schema}.open_job
),
outcome AS (
    SELECT
        chain_id, position, generation, type, status, verb, closed_at, attempt, crashes, token, worker, claimed_at
    FROM {schema}.outcome
),
attempt AS (
    SELECT chain_id, position, generation, token, number, verb, worker, claimed_at, ended_at FROM {schema}.attempt
),
blocker AS (
    SELECT chain_id, position, blocker_id, released_at FROM {schema}.blocker
),
rule AS (
    SELECT chain_id, position, until, on_failure FROM {schema}.job
),
dedup_key AS (
    SELECT
        k.type, k.key, k.chain_id,
        CASE WHEN j.key_lasts THEN 1 ELSE 0 END AS lasting,
        CASE WHEN k.type = ANY (j.key_aliases) THEN 1 ELSE 0 END AS is_alias
    FROM {schema}.dedup_key AS k
    LEFT JOIN {schema}.job AS j ON j.chain_id = k.chain_id AND j.position = 0
),
pending AS (
    SELECT blocker_id FROM {schema}.pending_unblock
),
