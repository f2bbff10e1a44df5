-- Find the chains that exist, by index in the batch. Every chain has a job at position 0, open or closed.
SELECT json_group_array(item.key)
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = item.value AND job.position = 0;
