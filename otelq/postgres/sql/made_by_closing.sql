-- The jobs that were let go, or failed, in the transaction that closed a chain: their edges carry its xmin.
WITH RECURSIVE closing AS MATERIALIZED (
    SELECT c.xmin AS transaction
    FROM {schema}.outcome AS c
    WHERE c.chain_id = $1 AND c.closed_at = $2
    LIMIT 1
),
ring (chain_id) AS (
    SELECT $1::uuid
    UNION
    SELECT e.chain_id
    FROM ring
    JOIN {schema}.blocker AS e ON e.blocker_id = ring.chain_id
    WHERE e.xmin = (SELECT transaction FROM closing)
)
SELECT
    j.chain_id::text, j.position, NULL AS token, j.type, j.queue, coalesce(j.chain_type, j.type) AS chain_type,
    'blocked' AS status,
    coalesce(c.attempt, 0) AS attempt, coalesce(c.crashes, 0) AS crashes, NULL AS leased_by,
    j.created_at, coalesce(j.chain_created_at, j.created_at) AS chain_created_at,
    j.trace, NULL AS last_trace, e.released_at AS at, greatest(j.run_at, e.released_at) AS run_at, c.error_type
FROM ring
CROSS JOIN LATERAL (
    SELECT b.chain_id, b.position, max(b.released_at) AS released_at
    FROM {schema}.blocker AS b
    WHERE b.chain_id = ring.chain_id
    GROUP BY b.chain_id, b.position
    HAVING count(*) = count(b.released_at)
        AND bool_or(
            b.xmin = (SELECT transaction FROM closing)
            AND b.released_at = (SELECT max(l.released_at) FROM {schema}.blocker AS l WHERE l.chain_id = ring.chain_id)
        )
) AS e
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = e.chain_id AND j.position = e.position OFFSET 0
) AS j
LEFT JOIN {schema}.outcome AS c
    ON c.chain_id = e.chain_id AND c.position = e.position AND c.verb = 'fail_by_blocker'
WHERE ring.chain_id <> $1
ORDER BY e.chain_id
