-- Reads the first jobs of those chains that exist, as they were created, to compare and repeat their starts.
SELECT
    i.n::integer - 1 AS n, j.type, j.input = i.input::jsonb AS same_input, j.created_at, j.run_at,
    j.born_blocked IS NOT NULL AS born_blocked, c.error_type AS failed_with
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS i (chain_id, input, n)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = i.chain_id AND j.position = 0 OFFSET 0
) AS j
LEFT JOIN LATERAL (
    SELECT c.error_type
    FROM {schema}.outcome AS c
    WHERE c.chain_id = i.chain_id AND c.position = 0 AND c.verb = 'fail_by_blocker' AND c.closed_at = j.created_at
    LIMIT 1
) AS c ON true
