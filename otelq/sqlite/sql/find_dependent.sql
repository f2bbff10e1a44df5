-- Find a chain outside the set that has one of the set as its blocker. The delete is refused then.
SELECT json_group_array(json_array(chain_id, blocker_id))
  FROM (
    SELECT blocker.chain_id, blocker.blocker_id
      FROM json_each(:chains) AS item
     CROSS JOIN main."{schema}_blocker" AS blocker ON blocker.blocker_id = item.value
     WHERE blocker.chain_id NOT IN (SELECT value FROM json_each(:chains))
     LIMIT 1
  );
