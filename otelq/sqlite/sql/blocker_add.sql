INSERT INTO "{schema}_blocker" (chain_id, ordinal, blocker_id, resolved_at)
SELECT value ->> 0, value ->> 1, value ->> 2, iif(value ->> 3, NULL, :now)
  FROM json_each(:edges);
