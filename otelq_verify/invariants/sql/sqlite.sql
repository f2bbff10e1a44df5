-- The tables of the SQLite adapter under the names that the checks use.
WITH job AS (
    SELECT chain_id, position, type, created_at FROM "{schema}_job"
),
open_job AS (
    SELECT
        chain_id, position, type, attempt, crashes, blocked_by_count AS blocked_by, run_at, token, leased_by,
        claimed_at
    FROM "{schema}_open_job"
),
outcome AS (
    SELECT
        chain_id, position, generation, type, status, verb, closed_at, attempt, crashes, token, worker, claimed_at
    FROM "{schema}_outcome"
),
attempt AS (
    SELECT chain_id, position, generation, token, number, verb, worker, claimed_at, ended_at FROM "{schema}_attempt"
),
blocker AS (
    SELECT chain_id, position, blocker_id, released_at FROM "{schema}_blocker"
),
rule AS (
    SELECT chain_id, position, until, on_failure FROM "{schema}_open_job"
    UNION ALL
    SELECT chain_id, position, until, on_failure FROM "{schema}_outcome" WHERE generation = 0
),
dedup_key AS (
    SELECT
        k.type, k.key, k.chain_id, k.lasting,
        EXISTS (SELECT 1 FROM json_each(j.dedup_aliases) AS alias WHERE alias.value = k.type) AS is_alias
    FROM "{schema}_dedup_key" AS k
    LEFT JOIN "{schema}_job" AS j ON j.chain_id = k.chain_id AND j.position = 0
),
pending AS (
    SELECT chain_id AS blocker_id FROM "{schema}_pending_unblock"
),
