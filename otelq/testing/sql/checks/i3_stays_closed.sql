-- A closed job stays closed: it is not open, and no attempt of it ended later.
SELECT c.chain_id, c.position, 'it is ' || c.status || ' and open' AS detail
FROM closed AS c
JOIN open_job AS o ON o.chain_id = c.chain_id AND o.position = c.position AND o.generation <= c.generation
UNION ALL
SELECT c.chain_id, c.position, 'an attempt of ' || coalesce(a.worker, '?') || ' ended after it was ' || c.status
FROM closed AS c
JOIN attempt AS a ON a.chain_id = c.chain_id AND a.position = c.position AND a.ended_at > c.closed_at
WHERE NOT EXISTS (SELECT 1 FROM open_job AS o WHERE o.chain_id = c.chain_id AND o.position = c.position)
