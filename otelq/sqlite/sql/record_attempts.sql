-- Record attempts that end without closing their job. Runs before the lease is cleared, because it copies the lease.
INSERT INTO main."{schema}_attempt" (
    chain_id, position, token, number, verb, worker, claimed_at, ended_at, error_type, error_text, trace
)
SELECT open.chain_id, open.position, open.token, open.attempt, item.value ->> 1,
       coalesce(item.value ->> 5, open.leased_by), open.claimed_at, :now,
       item.value ->> 2, item.value ->> 3, item.value ->> 4
  FROM json_each(:ended) AS item
 CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = item.value ->> 0
 WHERE open.token IS NOT NULL;
