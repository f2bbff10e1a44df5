-- What follows from the tables: every time that a worker held a job, and how jobs and chains stand that ended.
tenure AS (
    SELECT chain_id, position, generation, token, worker, claimed_at AS since, ended_at AS until FROM attempt
    UNION ALL
    SELECT chain_id, position, generation, token, worker, claimed_at, closed_at FROM outcome WHERE token IS NOT NULL
    UNION ALL
    SELECT chain_id, position, 0, token, leased_by, claimed_at, NULL FROM open_job WHERE token IS NOT NULL
),
closed AS (
    SELECT * FROM outcome WHERE generation = 0
),
ended AS (
    SELECT chain_id, status, closed_at FROM closed WHERE status <> 'continued'
)
