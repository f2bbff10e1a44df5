-- The finished attempts of a job, the one that closed it among them.
SELECT json_group_array(json_array(
           number, token, verb, worker, claimed_at, ended_at, error_type, error_text, trace, generation))
  FROM (
    SELECT number, token, verb, worker, claimed_at, ended_at, error_type, error_text, trace, generation,
           iif(generation = 0, 9223372036854775807, generation) AS era
      FROM "{schema}_attempt"
     WHERE chain_id = :chain AND position = :position
    UNION ALL
    SELECT attempt, token, verb, worker, claimed_at, closed_at, error_type, error_text, trace, generation,
           iif(generation = 0, 9223372036854775807, generation)
      FROM "{schema}_outcome"
     WHERE chain_id = :chain AND position = :position AND (token IS NOT NULL OR generation > 0)
     ORDER BY era, ended_at, number
  );
