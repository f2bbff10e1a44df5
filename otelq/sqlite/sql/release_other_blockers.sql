-- Release the remaining blockers of jobs that any one of them unblocked.
UPDATE main."{schema}_blocker" AS blocker
   SET released_at = :now
  FROM json_each(:jobs) AS item
 WHERE blocker.chain_id = item.value ->> 0 AND blocker.position = item.value ->> 1 AND blocker.released_at IS NULL;
