-- Read how leases ended that are not current, in case the reply to their settlement was lost: how and when the holder
-- of the token settled, whether it got the successor (under the token value ->> 3), and whether the chain was
-- cancelled.
SELECT json_group_array(json_array(
           item.key, coalesce(outcome.verb, attempt.verb), coalesce(outcome.closed_at, attempt.ended_at),
           EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open
                    WHERE open.chain_id = item.value ->> 0 AND open.token = item.value ->> 3),
           (SELECT status = 'cancelled' FROM main."{schema}_outcome" AS last
             WHERE last.chain_id = item.value ->> 0 AND last.generation = 0
             ORDER BY last.position DESC
             LIMIT 1)))
  FROM json_each(:leases) AS item
  LEFT JOIN main."{schema}_outcome" AS outcome
    ON outcome.chain_id = item.value ->> 0
   AND outcome.position = item.value ->> 1
   AND outcome.token = item.value ->> 2
  LEFT JOIN main."{schema}_attempt" AS attempt
    ON attempt.chain_id = item.value ->> 0
   AND attempt.position = item.value ->> 1
   AND attempt.token = item.value ->> 2;
