-- How closed chains ended, each held against deletion until the edges to it are committed.
SELECT j.chain_id::text, c.status
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT j.chain_id
    FROM {schema}.job AS j
    WHERE j.chain_id = i.chain_id AND j.position = 0
    FOR KEY SHARE
) AS j
CROSS JOIN LATERAL (
    SELECT c.status
    FROM {schema}.outcome AS c
    WHERE c.chain_id = i.chain_id
    ORDER BY c.position DESC, c.generation DESC
    LIMIT 1
) AS c
