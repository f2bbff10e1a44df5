-- Store how many blockers are still open, and by which rule they count. A positive count takes the job out of the
-- index of claimable jobs.
UPDATE main."{schema}_open_job" AS open
   SET blocked_by_count = item.value ->> 1,
       until = item.value ->> 2,
       on_failure = item.value ->> 3
  FROM json_each(:jobs) AS item
 WHERE open.chain_id = item.value ->> 0;
