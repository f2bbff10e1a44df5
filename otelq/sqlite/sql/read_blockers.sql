-- Read the blockers of jobs in the order in which they were given, by index in the batch.
SELECT json_group_array(json_array(index_in_batch, blocker_id))
  FROM (
    SELECT item.key AS index_in_batch, blocker.blocker_id
      FROM json_each(:jobs) AS item
     CROSS JOIN main."{schema}_blocker" AS blocker
        ON blocker.chain_id = item.value ->> 0 AND blocker.position = item.value ->> 1
     ORDER BY blocker.chain_id, blocker.position, blocker.ordinal
  );
