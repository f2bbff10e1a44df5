-- Move the outcomes of redriven jobs to the next generation; generation 0 is free for the next end.
UPDATE main."{schema}_outcome" AS outcome
   SET redriven_at = :now,
       generation = (SELECT max(earlier.generation) + 1 FROM main."{schema}_outcome" AS earlier
                      WHERE earlier.chain_id = outcome.chain_id AND earlier.position = outcome.position)
  FROM json_each(:jobs) AS item
 WHERE outcome.chain_id = item.value ->> 0 AND outcome.position = item.value ->> 1 AND outcome.generation = 0;
