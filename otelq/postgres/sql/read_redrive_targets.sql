-- Reads the last jobs of chains, with how they ended and all that is needed to open them again. The chains are locked;
-- the snapshot is newer than that lock.
SELECT
    j.chain_id::text, j.position, NULL AS token, j.type, j.queue, coalesce(j.chain_type, j.type) AS chain_type, c.status,
    0 AS attempt, 0 AS crashes, NULL AS leased_by, j.created_at,
    coalesce(j.chain_created_at, j.created_at) AS chain_created_at, j.trace, c.trace AS last_trace,
    {now} AS at, {now} AS run_at, j.until, j.on_failure, head.dedup_key, head.key_aliases,
    o.chain_id IS NOT NULL AS is_open
FROM unnest($2::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT *
    FROM {schema}.job AS j
    WHERE j.chain_id = i.chain_id
    ORDER BY j.position DESC
    LIMIT 1
) AS j
CROSS JOIN LATERAL (
    SELECT h.dedup_key, h.key_aliases FROM {schema}.job AS h WHERE h.chain_id = i.chain_id AND h.position = 0 OFFSET 0
) AS head
LEFT JOIN LATERAL (
    SELECT *
    FROM {schema}.outcome AS c
    WHERE c.chain_id = i.chain_id AND c.position = j.position AND c.generation = 0
    OFFSET 0
) AS c ON true
LEFT JOIN LATERAL (
    SELECT o.chain_id FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id OFFSET 0
) AS o ON true
