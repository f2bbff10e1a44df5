-- Which of the chains exist, by their place in the batch.
SELECT json_group_array(item.key)
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = item.value AND job.position = 0;
