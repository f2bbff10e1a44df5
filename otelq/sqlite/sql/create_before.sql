-- Chains found under ids of the batch: what was asked for then, and how the start ended, by their place in it.
SELECT json_group_array(json_array(
           item.key, job.type, job.input, job.created_at,
           (SELECT count(*) FROM main."{schema}_blocker" AS edge
             WHERE edge.chain_id = job.chain_id AND edge.position = 0
               AND edge.awaited_at = job.created_at),
           (SELECT outcome.error_type FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = job.chain_id AND outcome.position = 0
               AND outcome.verb = 'fail_by_blocker' AND outcome.closed_at = job.created_at)))
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = item.value AND job.position = 0;
