-- Read the open jobs of chains, by index in the batch. A closed chain is left out.
SELECT json_group_array(json_array(
           item.key, {open_job_columns}))
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = item.value
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0;
