UPDATE "{schema}_job" AS job
   SET amended_input = item.value ->> 2
  FROM json_each(:amended) AS item
 WHERE job.chain_id = item.value ->> 0 AND job.position = item.value ->> 1;
