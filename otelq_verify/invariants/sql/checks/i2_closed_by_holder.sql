-- A job that a worker closed was closed under a lease.
SELECT chain_id, position, 'closed by ' || verb || ' without a token' AS detail
FROM outcome
WHERE verb IN ('complete', 'continue', 'fail') AND (token IS NULL OR worker IS NULL)
