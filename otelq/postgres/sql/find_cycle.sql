-- Finds chains that wait for themselves through any others, and the last chain on the way. UNION drops what was
-- reached before, so that the walk ends even in a graph with cycles.
WITH RECURSIVE reached (origin_id, chain_id) AS (
    SELECT i.chain_id, i.chain_id
    FROM unnest($1::uuid[]) AS i (chain_id)
    UNION
    SELECT r.origin_id, b.blocker_id
    FROM reached AS r
    CROSS JOIN LATERAL (
        SELECT b.blocker_id
        FROM {schema}.blocker AS b
        WHERE b.chain_id = r.chain_id AND b.released_at IS NULL
        OFFSET 0
    ) AS b
)
SELECT r.origin_id::text AS chain_id, r.chain_id::text AS waiting_id
FROM reached AS r
CROSS JOIN LATERAL (
    SELECT
    FROM {schema}.blocker AS b
    WHERE b.chain_id = r.chain_id AND b.blocker_id = r.origin_id AND b.released_at IS NULL
    LIMIT 1
) AS b
LIMIT 1
