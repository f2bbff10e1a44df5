-- Finds the jobs that were released, or failed, in the transaction that closed a chain, to repeat a reply that was lost.
-- The transaction is not stored; but the blocker rows that it released have the xmin of the chain's outcome.
WITH RECURSIVE closing AS MATERIALIZED (
    SELECT c.xmin AS transaction
    FROM {schema}.outcome AS c
    WHERE c.chain_id = $1::uuid AND c.closed_at = $2::timestamptz AND c.generation = 0
    LIMIT 1
),
reached (chain_id, position) AS (
    SELECT $1::uuid, NULL::integer
    UNION
    SELECT e.chain_id, e.position
    FROM reached
    JOIN {schema}.blocker AS e ON e.blocker_id = reached.chain_id
    WHERE e.xmin = (SELECT transaction FROM closing)
)
SELECT
    j.chain_id::text, j.position, NULL AS token, j.type, j.queue, coalesce(j.chain_type, j.type) AS chain_type,
    'blocked' AS status,
    coalesce(c.attempt, 0) AS attempt, coalesce(c.crashes, 0) AS crashes, NULL AS leased_by,
    j.created_at, coalesce(j.chain_created_at, j.created_at) AS chain_created_at,
    j.trace, NULL AS last_trace, e.released_at AS at, greatest(j.run_at, e.released_at) AS run_at, c.error_type
FROM reached
CROSS JOIN LATERAL (
    SELECT max(b.released_at) AS released_at
    FROM {schema}.blocker AS b
    WHERE b.chain_id = reached.chain_id AND b.position = reached.position
    HAVING count(*) = count(b.released_at)
        AND max(b.released_at) = max(b.released_at) FILTER (WHERE b.xmin = (SELECT transaction FROM closing))
) AS e
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = reached.chain_id AND j.position = reached.position OFFSET 0
) AS j
LEFT JOIN LATERAL (
    SELECT *
    FROM {schema}.outcome AS c
    WHERE c.chain_id = reached.chain_id AND c.position = reached.position
        AND c.verb = 'fail_by_blocker' AND c.closed_at = e.released_at
    LIMIT 1
) AS c ON true
ORDER BY j.chain_id
