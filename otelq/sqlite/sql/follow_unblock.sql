-- Take off what no longer blocks, counted for each dependent; the last one makes it due now or later.
UPDATE "{schema}_open_job" AS open
   SET blocked_by_count = open.blocked_by_count - (item.value ->> 1),
       run_at = iif(open.blocked_by_count = item.value ->> 1, max(open.run_at, :now), open.run_at)
  FROM json_each(:dependents) AS item
 WHERE open.chain_id = item.value ->> 0;
