-- Reads how chains ended; null for one that is open. A chain that does not exist has no row.
SELECT j.chain_id::text, c.status
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT j.chain_id FROM {schema}.job AS j WHERE j.chain_id = i.chain_id AND j.position = 0 OFFSET 0
) AS j
LEFT JOIN LATERAL (
    SELECT c.status
    FROM (
        SELECT c.status
        FROM {schema}.outcome AS c
        WHERE c.chain_id = i.chain_id AND c.generation = 0
        ORDER BY c.position DESC
        LIMIT 1
    ) AS c
    WHERE c.status <> 'continued'
) AS c ON true
