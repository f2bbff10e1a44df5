-- Attempts are claims less those given back; crashes are the leases that ran out.
WITH counted AS (
    SELECT chain_id, position, attempt, crashes FROM open_job
    UNION ALL
    SELECT c.chain_id, c.position, c.attempt, c.crashes
    FROM closed AS c
    WHERE NOT EXISTS (SELECT 1 FROM open_job AS o WHERE o.chain_id = c.chain_id AND o.position = c.position)
),
held AS (
    SELECT chain_id, position, count(*) AS times FROM tenure GROUP BY chain_id, position
),
told AS (
    SELECT
        chain_id, position,
        sum(CASE WHEN verb IN ('release', 'snooze', 'block') THEN 1 ELSE 0 END) AS given_back,
        sum(CASE WHEN verb IN ('reap', 'take_over') THEN 1 ELSE 0 END) AS ran_out
    FROM (
        SELECT chain_id, position, verb FROM attempt
        UNION ALL
        SELECT chain_id, position, verb FROM outcome WHERE token IS NOT NULL
    ) AS ends
    GROUP BY chain_id, position
)
SELECT
    c.chain_id, c.position,
    c.attempt || ' attempts and ' || c.crashes || ' crashes; held ' || coalesce(h.times, 0) || ' times, given back '
    || coalesce(t.given_back, 0) || ' times, ran out ' || coalesce(t.ran_out, 0) || ' times' AS detail
FROM counted AS c
LEFT JOIN held AS h ON h.chain_id = c.chain_id AND h.position = c.position
LEFT JOIN told AS t ON t.chain_id = c.chain_id AND t.position = c.position
WHERE c.attempt <> coalesce(h.times, 0) - coalesce(t.given_back, 0) OR c.crashes <> coalesce(t.ran_out, 0)
