-- Store the row of each new chain that claims look at.
INSERT INTO main."{schema}_open_job" (
    chain_id, position, type, queue, priority, run_at, blocked_by_count, until, on_failure, expires_at
)
SELECT value ->> 0, 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8
  FROM json_each(:jobs);
