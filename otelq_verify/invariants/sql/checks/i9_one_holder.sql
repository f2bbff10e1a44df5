-- At most one chain holds a dedup key of a type.
SELECT min(CAST(chain_id AS text)) AS chain_id, 0 AS position, count(*) || ' chains hold the key ' || key || ' of ' || type AS detail
FROM dedup_key
GROUP BY type, key
HAVING count(*) > 1
