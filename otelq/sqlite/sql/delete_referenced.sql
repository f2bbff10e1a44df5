-- A chain outside the set that has one of the set as its blocker, with that one.
SELECT json_group_array(json_array(chain_id, blocker_id))
  FROM (
    SELECT edge.chain_id, edge.blocker_id
      FROM json_each(:chains) AS item
     CROSS JOIN main."{schema}_blocker" AS edge ON edge.blocker_id = item.value
     WHERE edge.chain_id NOT IN (SELECT value FROM json_each(:chains))
     LIMIT 1
  );
