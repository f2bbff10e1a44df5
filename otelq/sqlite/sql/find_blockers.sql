-- Find the blockers that a job has been given before, with their ordinals, by index in the batch.
SELECT json_group_array(json_array(item.key, blocker.ordinal))
  FROM json_each(:blockers) AS item
 CROSS JOIN main."{schema}_blocker" AS blocker
    ON blocker.blocker_id = item.value ->> 2
   AND blocker.chain_id = item.value ->> 0
   AND blocker.position = item.value ->> 1;
