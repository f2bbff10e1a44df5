-- The attempts of a job that ended: those that did not close it, and the one that did.
SELECT number, token, verb, worker, claimed_at, ended_at, error_type, error_text, trace
FROM {schema}.attempt
WHERE chain_id = $1 AND position = $2
UNION ALL
SELECT attempt, token, verb, worker, claimed_at, closed_at, error_type, error_text, trace
FROM {schema}.outcome
WHERE chain_id = $1 AND position = $2 AND token IS NOT NULL
ORDER BY claimed_at, ended_at
