-- Attempts are claims less those given back, since the job was redriven last; crashes are the leases that ran out.
WITH counted AS (
    SELECT chain_id, position, 0 AS generation, attempt, crashes FROM open_job
    UNION ALL
    SELECT chain_id, position, generation, attempt, crashes FROM outcome
),
held AS (
    SELECT chain_id, position, generation, count(*) AS times FROM tenure GROUP BY chain_id, position, generation
),
told AS (
    SELECT
        chain_id, position, generation,
        sum(CASE WHEN verb IN ('release', 'snooze', 'block') THEN 1 ELSE 0 END) AS given_back,
        sum(CASE WHEN verb = 'reap' THEN 1 ELSE 0 END) AS ran_out
    FROM (
        SELECT chain_id, position, generation, verb FROM attempt
        UNION ALL
        SELECT chain_id, position, generation, verb FROM outcome WHERE token IS NOT NULL
    ) AS ends
    GROUP BY chain_id, position, generation
)
SELECT
    c.chain_id, c.position,
    c.attempt || ' attempts and ' || c.crashes || ' crashes; held ' || coalesce(h.times, 0) || ' times, given back '
    || coalesce(t.given_back, 0) || ' times, ran out ' || coalesce(t.ran_out, 0) || ' times' AS detail
FROM counted AS c
LEFT JOIN held AS h ON h.chain_id = c.chain_id AND h.position = c.position AND h.generation = c.generation
LEFT JOIN told AS t ON t.chain_id = c.chain_id AND t.position = c.position AND t.generation = c.generation
WHERE c.attempt <> coalesce(h.times, 0) - coalesce(t.given_back, 0) OR c.crashes <> coalesce(t.ran_out, 0)
