-- Find the chains that ended cancelled, by index in the batch: a worker hears CANCELLED instead of LOST.
SELECT json_group_array(item.key)
  FROM json_each(:chains) AS item
 WHERE (SELECT status FROM main."{schema}_outcome" AS outcome
         WHERE outcome.chain_id = item.value AND outcome.generation = 0
         ORDER BY position DESC
         LIMIT 1) = 'cancelled';
