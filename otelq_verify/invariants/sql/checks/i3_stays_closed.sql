-- A closed job stays closed until it is redriven: it is not open, and no attempt of its generation ended later.
SELECT c.chain_id, c.position, 'it is ' || c.status || ' and open' AS detail
FROM closed AS c
JOIN open_job AS o ON o.chain_id = c.chain_id AND o.position = c.position
UNION ALL
SELECT c.chain_id, c.position, 'an attempt of ' || coalesce(a.worker, '?') || ' ended after it was ' || c.status
FROM outcome AS c
JOIN attempt AS a ON a.chain_id = c.chain_id AND a.position = c.position AND a.generation = c.generation
WHERE a.ended_at > c.closed_at
