-- Read how blockers ended: NULL while open. A chain that does not exist is left out.
SELECT json_group_array(json_array(
           item.value,
           (SELECT status FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = item.value AND outcome.generation = 0
               AND NOT EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open WHERE open.chain_id = item.value)
             ORDER BY position DESC
             LIMIT 1)))
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = item.value AND job.position = 0;
