-- Jobs that begin once more, with the trace of the attempt that ended them. Somebody may still wait for their chains.
INSERT INTO main."{schema}_open_job" (
    chain_id, position, type, queue, priority, run_at, until, on_failure, last_trace, waited_on
)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8,
       EXISTS (SELECT 1 FROM main."{schema}_blocker" AS edge
                WHERE edge.blocker_id = value ->> 0 AND edge.released_at IS NULL)
  FROM json_each(:jobs);
