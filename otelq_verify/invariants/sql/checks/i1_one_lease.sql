-- A job has at most one live lease.
SELECT chain_id, min(position) AS position, count(*) || ' leases are live' AS detail
FROM open_job
WHERE token IS NOT NULL
GROUP BY chain_id
HAVING count(*) > 1
