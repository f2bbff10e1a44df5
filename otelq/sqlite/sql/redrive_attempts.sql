-- Move the attempts of redriven jobs to the next generation. Runs before redrive_outcomes, which numbers generations.
UPDATE main."{schema}_attempt" AS attempt
   SET generation = (SELECT max(outcome.generation) + 1 FROM main."{schema}_outcome" AS outcome
                      WHERE outcome.chain_id = attempt.chain_id AND outcome.position = attempt.position)
  FROM json_each(:jobs) AS item
 WHERE attempt.chain_id = item.value ->> 0 AND attempt.position = item.value ->> 1 AND attempt.generation = 0;
