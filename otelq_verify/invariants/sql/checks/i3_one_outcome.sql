-- The outcome of a job is written once in a generation; those that were put aside are numbered from 1 without a gap.
SELECT chain_id, position, count(*) || ' outcomes in generation ' || generation AS detail
FROM outcome
GROUP BY chain_id, position, generation
HAVING count(*) > 1
UNION ALL
SELECT chain_id, position, count(*) || ' outcomes put aside, numbered ' || min(generation) || ' to ' || max(generation)
FROM outcome
WHERE generation > 0
GROUP BY chain_id, position
HAVING min(generation) <> 1 OR count(DISTINCT generation) <> max(generation)
