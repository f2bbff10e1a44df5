-- Keys of a scan that pass the filters: how many, which, and where the scan ended if it ended before there were enough.
WITH
{match_values},
scan AS {materialized} (
    {scan}
    LIMIT :scan_limit
)
SELECT json_array(json_array(
           found.number, json(found.keys),
           iif(found.number < :limit,
               (SELECT json_array(chain_id, position) FROM scan LIMIT 1 OFFSET :scan_limit - 1), NULL)))
  FROM (
    SELECT count(*) AS number, json_group_array(json_array(chain_id, position)) FILTER (WHERE :shows) AS keys
      FROM (SELECT chain_id, position FROM scan WHERE {filters} LIMIT :limit)
  ) AS found;
