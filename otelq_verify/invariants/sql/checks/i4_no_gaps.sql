-- The jobs of a chain are numbered from 0 without a gap.
SELECT chain_id, max(position) AS position, count(*) || ' jobs, numbered ' || min(position) || ' to ' || max(position) AS detail
FROM job
GROUP BY chain_id
HAVING min(position) <> 0 OR count(*) <> max(position) + 1
