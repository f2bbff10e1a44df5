-- The blockers of jobs, in order, and how they stand: NULL while open.
SELECT json_group_array(json_array(chain_id, position, ordinal, blocker_id, standing))
  FROM (
    SELECT edge.chain_id, edge.position, edge.ordinal, edge.blocker_id,
           (SELECT status FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = edge.blocker_id AND outcome.generation = 0
               AND NOT EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open WHERE open.chain_id = edge.blocker_id)
             ORDER BY outcome.position DESC
             LIMIT 1) AS standing
      FROM json_each(:jobs) AS item
     CROSS JOIN main."{schema}_blocker" AS edge ON edge.chain_id = item.value ->> 0 AND edge.position = item.value ->> 1
     ORDER BY edge.chain_id, edge.position, edge.ordinal
  );
