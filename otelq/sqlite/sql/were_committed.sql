-- Read what transitions would have left behind, if they were committed: the job and its creation time, how it closed at
-- the time of the transition, a take-over or a redrive then, and when it is due.
SELECT json_group_array(json_array(
           item.key, job.created_at,
           (SELECT outcome.status FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = job.chain_id AND outcome.position = job.position
               AND outcome.closed_at = item.value ->> 2),
           EXISTS (SELECT 1 FROM main."{schema}_attempt" AS attempt
                    WHERE attempt.chain_id = job.chain_id AND attempt.position = job.position
                      AND attempt.verb = 'take_over' AND attempt.ended_at = item.value ->> 2),
           EXISTS (SELECT 1 FROM main."{schema}_outcome" AS outcome
                    WHERE outcome.chain_id = job.chain_id AND outcome.position = job.position
                      AND outcome.redriven_at = item.value ->> 2),
           open.run_at, open.attempt))
  FROM json_each(:jobs) AS item
  LEFT JOIN main."{schema}_job" AS job ON job.chain_id = item.value ->> 0 AND job.position = item.value ->> 1
  LEFT JOIN main."{schema}_open_job" AS open ON open.chain_id = item.value ->> 0 AND open.position = item.value ->> 1;
