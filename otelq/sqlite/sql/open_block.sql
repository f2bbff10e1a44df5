-- Note how many blockers jobs wait for, and by which rule.
UPDATE main."{schema}_open_job" AS open
   SET blocked_by_count = item.value ->> 1,
       until = item.value ->> 2,
       on_failure = item.value ->> 3
  FROM json_each(:jobs) AS item
 WHERE open.chain_id = item.value ->> 0;
