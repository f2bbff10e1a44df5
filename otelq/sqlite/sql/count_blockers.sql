-- Return the next free ordinal of each job, in the order of the batch: a job may be given blockers more than once.
SELECT json_group_array((
           SELECT coalesce(max(blocker.ordinal) + 1, 0) FROM main."{schema}_blocker" AS blocker
            WHERE blocker.chain_id = item.value ->> 0 AND blocker.position = item.value ->> 1))
  FROM json_each(:jobs) AS item;
