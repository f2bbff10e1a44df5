-- Closed jobs, newest chain first, by the key of outcomes.
SELECT
    c.chain_id::text, c.position, c.type, j.queue, c.status, j.input::text, j.created_at, c.priority, c.attempt,
    c.crashes, c.run_at, NULL AS leased_by, NULL AS leased_until, c.closed_at, c.output::text, c.error_type,
    c.error_text, 0 AS blocked_by, j.trace, j.meta::text, coalesce(j.chain_type, j.type) AS chain_type
FROM {schema}.outcome AS c
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = c.chain_id AND j.position = c.position OFFSET 0
) AS j
WHERE c.chain_id <= $1 AND (c.chain_id < $1 OR c.position > $2)
    AND ($3::uuid IS NULL OR c.chain_id = $3)
    AND (cardinality($4::text[]) = 0 OR {type} = ANY ($4))
    AND c.status = ANY ($5::text[])
ORDER BY c.chain_id DESC, c.position
LIMIT $6
