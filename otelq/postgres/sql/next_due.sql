-- Computes the seconds until the first job of these types is due: one look-up for each type and priority in use.
SELECT extract(epoch FROM min(first.run_at) - {now})::float8 AS seconds
FROM unnest($2::text[]) AS wanted (type)
CROSS JOIN LATERAL (
    WITH RECURSIVE level (priority) AS (
        {next_priority}
        WHERE level.priority IS NOT NULL
    )
    SELECT (
        SELECT o.run_at
        FROM {schema}.open_job AS o
        WHERE o.type = wanted.type AND o.priority = level.priority
            AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes = 0
            AND (o.expires_at IS NULL OR o.attempt > 0 OR o.expires_at > {now})
        ORDER BY o.run_at
        LIMIT 1
    ) AS run_at
    FROM level
    WHERE level.priority IS NOT NULL
    UNION ALL
    SELECT min(o.run_at)
    FROM {schema}.open_job AS o
    WHERE o.type = wanted.type AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes > 0
) AS first
