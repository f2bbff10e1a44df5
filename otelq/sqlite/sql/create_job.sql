INSERT INTO "{schema}_job" (
    chain_id, position, type, queue, input, created_at, trace, meta, dedup_key, dedup_lasting
)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, :now, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8
  FROM json_each(:jobs);
