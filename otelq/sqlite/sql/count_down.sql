-- Store how many blockers are still open. A job without any is due: now, or at its own later time.
UPDATE main."{schema}_open_job" AS open
   SET blocked_by_count = item.value ->> 1,
       run_at = iif(item.value ->> 1, open.run_at, max(open.run_at, :now))
  FROM json_each(:dependents) AS item
 WHERE open.chain_id = item.value ->> 0;
