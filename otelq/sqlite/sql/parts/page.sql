-- Keys of a walk that pass the filters: how many, which, and where the walk ended if it did before there were enough.
WITH
{wishes},
walk AS {materialized} (
    {walk}
    LIMIT :look
)
SELECT json_array(json_array(
           found.number, json(found.keys),
           iif(found.number < :most, (SELECT json_array(chain_id, position) FROM walk LIMIT 1 OFFSET :look - 1), NULL)))
  FROM (
    SELECT count(*) AS number, json_group_array(json_array(chain_id, position)) FILTER (WHERE :shows) AS keys
      FROM (SELECT chain_id, position FROM walk WHERE {filters} LIMIT :most)
  ) AS found;
