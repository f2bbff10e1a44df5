-- Removes chains with all their history, and tells each job that was in them.
WITH gone_open AS (
    DELETE FROM {schema}.open_job WHERE chain_id = ANY ($2::uuid[])
    RETURNING *
),
gone_outcome AS (
    DELETE FROM {schema}.outcome WHERE chain_id = ANY ($2::uuid[])
    RETURNING *
),
gone_attempt AS (
    DELETE FROM {schema}.attempt WHERE chain_id = ANY ($2::uuid[])
),
gone_edge AS (
    DELETE FROM {schema}.blocker WHERE chain_id = ANY ($2::uuid[])
),
gone_pending AS (
    DELETE FROM {schema}.pending_unblock WHERE blocker_id = ANY ($2::uuid[])
),
gone_job AS (
    DELETE FROM {schema}.job WHERE chain_id = ANY ($2::uuid[])
    RETURNING *
)
SELECT
    j.chain_id::text, j.position, o.token, j.type, j.queue, coalesce(j.chain_type, j.type) AS chain_type,
    CASE
        WHEN c.status IS NOT NULL THEN c.status
        WHEN o.token IS NOT NULL THEN 'running'
        WHEN o.blocked_by > 0 THEN 'blocked'
        WHEN o.run_at > {now} THEN 'scheduled'
        ELSE 'ready'
    END AS status,
    coalesce(c.attempt, o.attempt) AS attempt, coalesce(c.crashes, o.crashes) AS crashes, NULL AS leased_by,
    j.created_at, coalesce(j.chain_created_at, j.created_at) AS chain_created_at,
    j.trace, NULL AS last_trace, {now} AS at, j.run_at
FROM gone_job AS j
JOIN unnest($2::uuid[]) WITH ORDINALITY AS i (chain_id, n) ON i.chain_id = j.chain_id
LEFT JOIN gone_open AS o ON o.chain_id = j.chain_id AND o.position = j.position
LEFT JOIN gone_outcome AS c ON c.chain_id = j.chain_id AND c.position = j.position AND c.generation = 0
ORDER BY i.n, j.position
