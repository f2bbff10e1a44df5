-- The blockers of chains, in the order of the start.
SELECT json_group_array(json_array(chain_id, blocker_id))
  FROM (
    SELECT edge.chain_id, edge.blocker_id
      FROM json_each(:chains) AS item
     CROSS JOIN "{schema}_blocker" AS edge ON edge.chain_id = item.value
     ORDER BY edge.chain_id, edge.ordinal
  );
