-- Reads the attempts of a job that ended: those in the table, and the one that closed it, which is in its outcome. A
-- redriven job has one such outcome for each time that it closed.
SELECT a.*
FROM (
    SELECT
        number, token, verb, worker, claimed_at, ended_at, error_type, error_text, trace, generation::integer,
        false AS closes
    FROM {schema}.attempt
    WHERE chain_id = $1::uuid AND position = $2::integer
    UNION ALL
    SELECT attempt, token, verb, worker, claimed_at, closed_at, error_type, error_text, trace, generation, true
    FROM {schema}.outcome
    WHERE chain_id = $1::uuid AND position = $2::integer AND (token IS NOT NULL OR generation > 0)
) AS a
ORDER BY CASE WHEN a.generation > 0 THEN a.generation END NULLS LAST, a.closes, a.claimed_at, a.ended_at, a.number, a.token
