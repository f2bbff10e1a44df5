-- Read what became at once of jobs that were given blockers at a time: how many they waited for, and why they failed.
SELECT json_group_array(json_array(
           item.key,
           (SELECT count(*) FROM main."{schema}_blocker" AS blocker
             WHERE blocker.chain_id = item.value ->> 0 AND blocker.position = item.value ->> 1
               AND blocker.awaited_at = item.value ->> 2),
           (SELECT outcome.error_type FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = item.value ->> 0 AND outcome.position = item.value ->> 1
               AND outcome.verb = 'fail_by_blocker' AND outcome.closed_at = item.value ->> 2)))
  FROM json_each(:jobs) AS item;
