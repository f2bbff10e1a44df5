-- Locks the hot rows of chains, in the ascending order in which the ids are given, and returns their jobs. Rows are
-- locked in the order of the loop, not of the index, so that two batches never deadlock. Closed chains give no row.
SELECT
    o.chain_id::text, o.position, o.token, o.type, j.queue, coalesce(j.chain_type, o.type) AS chain_type,
    CASE
        WHEN o.token IS NOT NULL THEN 'running'
        WHEN o.blocked_by > 0 THEN 'blocked'
        WHEN o.run_at > {now} THEN 'scheduled'
        ELSE 'ready'
    END AS status,
    o.attempt, o.crashes, o.leased_by, j.created_at, coalesce(j.chain_created_at, j.created_at) AS chain_created_at,
    j.trace, o.last_trace, {now} AS at, o.run_at
FROM unnest($2::uuid[]) WITH ORDINALITY AS i (chain_id, n)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id {lock}
) AS o
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = o.chain_id AND j.position = o.position OFFSET 0
) AS j
ORDER BY i.n
