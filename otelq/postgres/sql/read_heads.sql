-- The first jobs of chains that went on.
SELECT
    c.chain_id::text, c.position, c.type, j.queue, c.status, j.input::text, j.created_at, c.priority, c.attempt,
    c.crashes, c.run_at, NULL AS leased_by, NULL AS leased_until, c.closed_at, c.output::text, c.error_type,
    c.error_text, 0 AS blocked_by, j.trace, j.meta::text, j.type AS chain_type
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT *
    FROM {schema}.outcome AS c
    WHERE c.chain_id = i.chain_id AND c.position = 0
    ORDER BY c.generation DESC
    LIMIT 1
) AS c
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = i.chain_id AND j.position = 0 OFFSET 0
) AS j
