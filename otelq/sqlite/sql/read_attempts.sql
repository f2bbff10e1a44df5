-- Read the finished attempts of a job, with the one that closed it. An outcome from before a redrive counts as an
-- attempt even if no attempt closed the job; the current generation comes last.
SELECT json_group_array(json_array(
           number, token, verb, worker, claimed_at, ended_at, error_type, error_text, trace, generation))
  FROM (
    SELECT number, token, verb, worker, claimed_at, ended_at, error_type, error_text, trace, generation,
           iif(generation = 0, 9223372036854775807, generation) AS era, 0 AS closes
      FROM main."{schema}_attempt"
     WHERE chain_id = :chain AND position = :position
    UNION ALL
    SELECT attempt, token, verb, worker, claimed_at, closed_at, error_type, error_text, trace, generation,
           iif(generation = 0, 9223372036854775807, generation), 1
      FROM main."{schema}_outcome" AS outcome
     WHERE chain_id = :chain AND position = :position
       AND (token IS NOT NULL
            OR (generation > 0
                AND NOT EXISTS (SELECT 1 FROM main."{schema}_attempt" AS closing
                                 WHERE closing.chain_id = :chain AND closing.position = :position
                                   AND closing.generation = outcome.generation AND closing.verb = outcome.verb
                                   AND closing.ended_at = outcome.closed_at)))
     ORDER BY era, ended_at, closes, number
  );
