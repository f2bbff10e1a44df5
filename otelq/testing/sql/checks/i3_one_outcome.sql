-- The outcome of a job is written once in a generation.
SELECT chain_id, position, count(*) || ' outcomes in generation ' || generation AS detail
FROM outcome
GROUP BY chain_id, position, generation
HAVING count(*) > 1
