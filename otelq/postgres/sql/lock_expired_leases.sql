-- Locks jobs whose lease ran out, oldest first. They are few and have an index of their own. SKIP LOCKED: a row that is
-- locked is being settled, or reaped by another worker.
SELECT
    o.chain_id::text, o.position, o.token, o.type, j.queue, coalesce(j.chain_type, o.type) AS chain_type,
    'running' AS status,
    o.attempt, o.crashes, o.leased_by, j.created_at, coalesce(j.chain_created_at, j.created_at) AS chain_created_at,
    j.trace, o.last_trace, {now} AS at, o.run_at
FROM (
    SELECT *
    FROM {schema}.open_job
    WHERE token IS NOT NULL AND leased_until <= {now} AND type = ANY ($2::text[]) AND token <> ALL ($3::bigint[])
    ORDER BY leased_until, chain_id
    LIMIT $4::integer
    FOR UPDATE SKIP LOCKED
) AS o
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = o.chain_id AND j.position = o.position OFFSET 0
) AS j
ORDER BY o.leased_until, o.chain_id
