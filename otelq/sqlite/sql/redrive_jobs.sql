-- Open jobs again. waited_on is computed anew: dependents with on_failure wait still wait for the chain.
INSERT INTO main."{schema}_open_job" (
    chain_id, position, type, queue, priority, run_at, until, on_failure, last_trace, waited_on
)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8,
       EXISTS (SELECT 1 FROM main."{schema}_blocker" AS blocker
                WHERE blocker.blocker_id = value ->> 0 AND blocker.released_at IS NULL)
  FROM json_each(:jobs);
