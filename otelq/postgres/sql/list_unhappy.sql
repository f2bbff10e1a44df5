-- Jobs that failed or were cancelled, newest chain first: some of each status and type from their own index, types
-- found by jumping from one to the next.
SELECT
    c.chain_id::text, c.position, c.type, j.queue, c.status, j.input::text, j.created_at, c.priority, c.attempt,
    c.crashes, c.run_at, NULL AS leased_by, NULL AS leased_until, c.closed_at, c.output::text, c.error_type,
    c.error_text, 0 AS blocked_by, j.trace, j.meta::text, coalesce(j.chain_type, j.type) AS chain_type
FROM unnest($5::text[]) AS wanted (status)
CROSS JOIN LATERAL (
    WITH RECURSIVE kind (type) AS (
        SELECT (
            SELECT c.type
            FROM {schema}.outcome AS c
            WHERE c.status = wanted.status AND c.status IN ('failed', 'cancelled')
            ORDER BY c.type
            LIMIT 1
        )
        UNION ALL
        SELECT (
            SELECT c.type
            FROM {schema}.outcome AS c
            WHERE c.status = wanted.status AND c.status IN ('failed', 'cancelled') AND c.type > kind.type
            ORDER BY c.type
            LIMIT 1
        )
        FROM kind
        WHERE kind.type IS NOT NULL
    )
    SELECT type FROM kind WHERE type IS NOT NULL
) AS kind
CROSS JOIN LATERAL (
    SELECT *
    FROM {schema}.outcome AS c
    WHERE c.status = wanted.status AND c.status IN ('failed', 'cancelled') AND c.type = kind.type
        AND c.chain_id <= $1 AND (c.chain_id < $1 OR c.position > $2)
        AND ($3::uuid IS NULL OR c.chain_id = $3)
        AND (cardinality($4::text[]) = 0 OR {type} = ANY ($4))
    ORDER BY c.chain_id DESC, c.position
    LIMIT $6
) AS c
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = c.chain_id AND j.position = c.position OFFSET 0
) AS j
ORDER BY c.chain_id DESC, c.position
LIMIT $6
