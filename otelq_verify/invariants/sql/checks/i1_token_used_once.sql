-- A token is never used for two attempts of one job.
SELECT chain_id, position, 'token ' || token || ' was used for ' || count(*) || ' attempts' AS detail
FROM tenure
GROUP BY chain_id, position, token
HAVING count(*) > 1
