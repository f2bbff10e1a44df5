-- Reads the status of chains: of open ones from the hot row, of closed ones from the last outcome.
SELECT
    i.chain_id::text, head.type AS chain_type,
    coalesce(o.type, c.type) AS type,
    CASE
        WHEN o.token IS NOT NULL THEN 'running'
        WHEN o.blocked_by > 0 THEN 'blocked'
        WHEN o.run_at > {now} THEN 'scheduled'
        WHEN o.chain_id IS NOT NULL THEN 'ready'
        ELSE c.status
    END AS status,
    c.output::text, c.error_type, c.error_text
FROM unnest($2::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT j.type FROM {schema}.job AS j WHERE j.chain_id = i.chain_id AND j.position = 0 OFFSET 0
) AS head
LEFT JOIN LATERAL (
    SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id OFFSET 0
) AS o ON true
LEFT JOIN LATERAL (
    SELECT *
    FROM {schema}.outcome AS c
    WHERE c.chain_id = i.chain_id AND o.chain_id IS NULL AND c.generation = 0
    ORDER BY c.position DESC
    LIMIT 1
) AS c ON true
