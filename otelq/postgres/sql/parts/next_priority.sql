-- The priorities that ready jobs of a type have, found by jumping through the index from one to the next.
SELECT (
    SELECT o.priority
    FROM {schema}.open_job AS o
    WHERE o.type = wanted.type AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes = 0
    ORDER BY o.priority
    LIMIT 1
)
UNION ALL
SELECT (
    SELECT o.priority
    FROM {schema}.open_job AS o
    WHERE o.type = wanted.type AND o.priority > level.priority
        AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes = 0
    ORDER BY o.priority
    LIMIT 1
)
FROM level
