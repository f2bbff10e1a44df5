-- Removes chains with all their history, and returns each of their jobs. The chains are locked, and no chain outside
-- the set refers to one of them.
WITH deleted_open AS (
    DELETE FROM {schema}.open_job WHERE chain_id = ANY ($2::uuid[])
    RETURNING *
),
deleted_outcome AS (
    DELETE FROM {schema}.outcome WHERE chain_id = ANY ($2::uuid[])
    RETURNING *
),
deleted_attempt AS (
    DELETE FROM {schema}.attempt WHERE chain_id = ANY ($2::uuid[])
),
deleted_blocker AS (
    DELETE FROM {schema}.blocker WHERE chain_id = ANY ($2::uuid[])
),
deleted_pending AS (
    DELETE FROM {schema}.pending_unblock WHERE blocker_id = ANY ($2::uuid[])
),
deleted_job AS (
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
FROM deleted_job AS j
JOIN unnest($2::uuid[]) WITH ORDINALITY AS i (chain_id, n) ON i.chain_id = j.chain_id
LEFT JOIN deleted_open AS o ON o.chain_id = j.chain_id AND o.position = j.position
LEFT JOIN deleted_outcome AS c ON c.chain_id = j.chain_id AND c.position = j.position AND c.generation = 0
ORDER BY i.n, j.position
