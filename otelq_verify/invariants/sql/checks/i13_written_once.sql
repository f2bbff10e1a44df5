-- A row that a handler wrote in completion() exists if and only if that attempt closed the job.
WITH written AS (
    SELECT chain_id, position, token, count(*) AS times FROM {ledger} GROUP BY chain_id, position, token
),
closer AS (
    SELECT CAST(chain_id AS text) AS chain_id, position, token FROM outcome WHERE verb IN ('complete', 'continue')
)
SELECT w.chain_id, w.position, w.times || ' rows of one attempt' AS detail
FROM written AS w
WHERE w.times > 1
UNION ALL
SELECT w.chain_id, w.position, 'a row of an attempt that did not close the job'
FROM written AS w
LEFT JOIN closer AS c ON c.chain_id = w.chain_id AND c.position = w.position AND c.token = w.token
WHERE c.chain_id IS NULL
UNION ALL
SELECT c.chain_id, c.position, 'no row of the attempt that closed the job'
FROM closer AS c
LEFT JOIN written AS w ON w.chain_id = c.chain_id AND w.position = c.position AND w.token = c.token
WHERE w.chain_id IS NULL
