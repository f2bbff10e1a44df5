-- Read how chains stand: the status of the tail, open or last closed.
SELECT json_group_array(json_array(
           item.value, head.type,
           iif(open.chain_id IS NULL, outcome.status, {open_status}),
           outcome.output, outcome.error_type, outcome.error_text))
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = item.value AND head.position = 0
  LEFT JOIN main."{schema}_open_job" AS open ON open.chain_id = item.value
  LEFT JOIN main."{schema}_outcome" AS outcome
    ON open.chain_id IS NULL
   AND outcome.rowid = (SELECT last.rowid FROM main."{schema}_outcome" AS last
                         WHERE last.chain_id = item.value AND last.generation = 0
                         ORDER BY last.position DESC
                         LIMIT 1);
