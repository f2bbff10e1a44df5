-- The first jobs of those chains that exist, as they were when they were created.
SELECT
    i.n::integer - 1 AS n, j.type, j.input = i.input::jsonb AS same_input, j.created_at, j.run_at,
    EXISTS (
        SELECT
        FROM {schema}.blocker AS b
        WHERE b.chain_id = j.chain_id AND b.position = 0
            AND (b.released_at IS NULL OR b.released_at > j.created_at)
    ) AS awaited,
    CASE WHEN c.verb = 'fail_by_blocker' AND c.closed_at = j.created_at THEN c.error_type END AS failed_with
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS i (chain_id, input, n)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = i.chain_id AND j.position = 0 OFFSET 0
) AS j
LEFT JOIN LATERAL (
    SELECT * FROM {schema}.outcome AS c WHERE c.chain_id = i.chain_id AND c.position = 0 OFFSET 0
) AS c ON true
