-- Releases what a claim leased whose reply was lost, by the token that all its jobs share.
WITH locked AS MATERIALIZED (
    SELECT *
    FROM {schema}.open_job
    WHERE token IS NOT NULL AND token = $2::bigint
    ORDER BY chain_id
    FOR UPDATE SKIP LOCKED
),
freed AS (
    UPDATE {schema}.open_job
    SET run_at = {now}, attempt = attempt - 1,
        token = NULL, leased_by = NULL, claimed_at = NULL, leased_until = NULL, deadline = NULL
    WHERE chain_id = ANY (ARRAY(SELECT chain_id FROM locked))
)
SELECT
    o.chain_id::text, o.position, o.token, o.type, j.queue, coalesce(j.chain_type, o.type) AS chain_type,
    'running' AS status,
    o.attempt, o.crashes, o.leased_by, j.created_at, coalesce(j.chain_created_at, j.created_at) AS chain_created_at,
    j.trace, o.last_trace, {now} AS at, o.run_at
FROM locked AS o
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = o.chain_id AND j.position = o.position OFFSET 0
) AS j
ORDER BY o.chain_id
