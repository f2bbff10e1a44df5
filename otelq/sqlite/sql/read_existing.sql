-- Read chains that are stored under ids of the batch, and how their start ended. If the reply of a start was lost, the
-- repeated call reports the same transitions; created_at is the time of the first call.
SELECT json_group_array(json_array(
           item.key, job.type, job.input, job.created_at,
           (SELECT count(*) FROM main."{schema}_blocker" AS blocker
             WHERE blocker.chain_id = job.chain_id AND blocker.position = 0
               AND blocker.awaited_at = job.created_at),
           (SELECT outcome.error_type FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = job.chain_id AND outcome.position = 0
               AND outcome.verb = 'fail_by_blocker' AND outcome.closed_at = job.created_at)))
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = item.value AND job.position = 0;
