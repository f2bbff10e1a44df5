-- Store the blockers of new jobs. A blocker that is closed already counts as released from the beginning.
INSERT INTO main."{schema}_blocker" (chain_id, position, ordinal, blocker_id, waits, awaited_at, released_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, iif(value ->> 5, :now, NULL),
       iif(value ->> 5, NULL, :now)
  FROM json_each(:blockers);
