-- Record how open jobs end; runs before their rows are deleted or moved on. Token and claim time are copied only if the
-- holder of the lease closed the job (value ->> 7): only then may a repeated settlement find its token there.
-- An output that is no JSON is refused: see create_jobs.
INSERT INTO main."{schema}_outcome" (
    chain_id, position, generation, type, status, verb, closed_at, priority, run_at, attempt, crashes, output,
    error_type, error_text, trace, token, worker, claimed_at, until, on_failure
)
SELECT open.chain_id, open.position, 0, open.type, item.value ->> 1, item.value ->> 2, :now,
       open.priority, open.run_at, open.attempt, open.crashes,
       iif(item.value ->> 3 IS NULL OR json_valid(item.value ->> 3), item.value ->> 3, x''),
       item.value ->> 4, item.value ->> 5, item.value ->> 6, iif(item.value ->> 7, open.token, NULL), item.value ->> 8,
       iif(item.value ->> 7, open.claimed_at, NULL), open.until, open.on_failure
  FROM json_each(:closed) AS item
 CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = item.value ->> 0;
