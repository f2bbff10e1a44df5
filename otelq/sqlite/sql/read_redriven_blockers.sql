-- Read the blockers that jobs were given, in order, and how each ended: NULL while open.
SELECT json_group_array(json_array(chain_id, position, ordinal, blocker_id, standing))
  FROM (
    SELECT blocker.chain_id, blocker.position, blocker.ordinal, blocker.blocker_id,
           (SELECT status FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = blocker.blocker_id AND outcome.generation = 0
               AND NOT EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open WHERE open.chain_id = blocker.blocker_id)
             ORDER BY outcome.position DESC
             LIMIT 1) AS standing
      FROM json_each(:jobs) AS item
     CROSS JOIN main."{schema}_blocker" AS blocker
        ON blocker.chain_id = item.value ->> 0 AND blocker.position = item.value ->> 1
     ORDER BY blocker.chain_id, blocker.position, blocker.ordinal
  );
