-- Explains why a fenced statement did not write items, by the rows that have their tokens now: still leased (the row
-- was locked, or needs a transaction), done before (the reply was lost), cancelled, or lost to another token.
SELECT
    i.n::integer - 1 AS n,
    CASE
        WHEN o.chain_id IS NOT NULL THEN 'leased'
        WHEN c.chain_id IS NOT NULL OR a.chain_id IS NOT NULL THEN 'done'
        WHEN EXISTS (
            -- A chain that was redriven after a cancel has that end as an earlier generation.
            SELECT FROM {schema}.outcome AS e
            WHERE e.chain_id = i.chain_id AND e.status = 'cancelled' AND e.generation = 0
        ) THEN 'cancelled'
        ELSE 'lost'
    END AS result,
    o.waited_on OR o.keyed AS is_dependent,
    coalesce(c.closed_at, a.ended_at) AS at,
    a.due_at,
    coalesce(c.verb, a.verb) AS verb,
    coalesce(c.error_type, a.error_type) AS error_type,
    o.deadline <= {now} AS too_late,
    f.error_type AS failed_with
FROM unnest($2::uuid[], $3::integer[], $4::bigint[])
    WITH ORDINALITY AS i (chain_id, position, token, n)
LEFT JOIN LATERAL (
    SELECT *
    FROM {schema}.open_job AS o
    WHERE o.chain_id = i.chain_id AND o.position = i.position AND o.token = i.token
    OFFSET 0
) AS o ON true
LEFT JOIN LATERAL (
    SELECT *
    FROM {schema}.outcome AS c
    WHERE c.chain_id = i.chain_id AND c.position = i.position AND c.token = i.token
        AND c.verb = ANY (ARRAY['complete', 'continue', 'fail'])
    OFFSET 0
) AS c ON true
LEFT JOIN LATERAL (
    SELECT *
    FROM {schema}.attempt AS a
    WHERE a.chain_id = i.chain_id AND a.position = i.position AND a.token = i.token
        AND a.verb = ANY (ARRAY['retry', 'snooze', 'release', 'block'])
    OFFSET 0
) AS a ON true
LEFT JOIN LATERAL (
    SELECT f.error_type
    FROM {schema}.outcome AS f
    WHERE a.verb = 'block' AND f.chain_id = i.chain_id AND f.position = i.position
        AND f.verb = 'fail_by_blocker' AND f.closed_at = a.ended_at
    LIMIT 1
) AS f ON true
ORDER BY i.n
