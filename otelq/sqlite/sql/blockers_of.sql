-- The blockers of jobs, by the place of the job in the batch, in the order in which they were given.
SELECT json_group_array(json_array(nr, blocker_id))
  FROM (
    SELECT item.key AS nr, edge.blocker_id
      FROM json_each(:jobs) AS item
     CROSS JOIN main."{schema}_blocker" AS edge ON edge.chain_id = item.value ->> 0 AND edge.position = item.value ->> 1
     ORDER BY edge.chain_id, edge.position, edge.ordinal
  );
