-- Store what jobs wait for from now on. A blocker that a job had before is used again, with its ordinal.
INSERT INTO main."{schema}_blocker" (chain_id, position, ordinal, blocker_id, waits, awaited_at, released_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, iif(value ->> 5, :now, NULL),
       iif(value ->> 5, NULL, :now)
  FROM json_each(:blockers) WHERE true
ON CONFLICT (chain_id, position, ordinal) DO UPDATE
   SET waits = excluded.waits, awaited_at = excluded.awaited_at, released_at = excluded.released_at;
