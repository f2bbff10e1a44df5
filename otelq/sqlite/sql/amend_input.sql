-- Store the amended input beside the first one, which stays on record. Text that is not JSON is refused: see
-- create_jobs.
UPDATE main."{schema}_job" AS job
   SET amended_input = iif(json_valid(item.value ->> 2), item.value ->> 2, x'')
  FROM json_each(:amended) AS item
 WHERE job.chain_id = item.value ->> 0 AND job.position = item.value ->> 1;
