-- What follows from the tables: every time that a worker held a job, and how chains ended.
tenure AS (
    SELECT chain_id, position, token, worker, claimed_at AS since, ended_at AS until FROM attempt
    UNION ALL
    SELECT chain_id, position, token, worker, claimed_at, closed_at FROM outcome WHERE token IS NOT NULL
    UNION ALL
    SELECT chain_id, position, token, leased_by, claimed_at, NULL FROM open_job WHERE token IS NOT NULL
),
closed AS (
    SELECT o.*
    FROM outcome AS o
    WHERE o.generation = (
        SELECT max(l.generation) FROM outcome AS l WHERE l.chain_id = o.chain_id AND l.position = o.position
    )
),
ended AS (
    SELECT chain_id, status, closed_at FROM closed WHERE status <> 'continued'
)
