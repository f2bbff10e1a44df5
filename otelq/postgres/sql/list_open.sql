-- Open jobs, newest chain first. {type} is the job's own type, or its chain's.
SELECT
    o.chain_id::text, o.position, o.type, j.queue,
    CASE
        WHEN o.token IS NOT NULL THEN 'running'
        WHEN o.blocked_by > 0 THEN 'blocked'
        WHEN o.run_at > statement_timestamp() THEN 'scheduled'
        ELSE 'ready'
    END AS status,
    j.input::text, j.created_at, o.priority, o.attempt, o.crashes, o.run_at, o.leased_by, o.leased_until,
    NULL AS closed_at, NULL AS output, NULL AS error_type, NULL AS error_text, o.blocked_by, j.trace, j.meta::text,
    coalesce(j.chain_type, j.type) AS chain_type
FROM {schema}.open_job AS o
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = o.chain_id AND j.position = o.position OFFSET 0
) AS j
WHERE o.chain_id <= $1 AND (o.chain_id < $1 OR o.position > $2)
    AND ($3::uuid IS NULL OR o.chain_id = $3)
    AND (cardinality($4::text[]) = 0 OR {type} = ANY ($4))
    AND CASE
        WHEN o.token IS NOT NULL THEN 'running'
        WHEN o.blocked_by > 0 THEN 'blocked'
        WHEN o.run_at > statement_timestamp() THEN 'scheduled'
        ELSE 'ready'
    END = ANY ($5::text[])
    {which}
ORDER BY o.chain_id DESC
LIMIT $6
