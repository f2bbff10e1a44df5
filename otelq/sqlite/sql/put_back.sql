-- End leases without closing the jobs: when each is due again, how many attempts are given back, how many crashes
-- counted.
UPDATE main."{schema}_open_job" AS open
   SET run_at = item.value ->> 1,
       attempt = open.attempt - (item.value ->> 2),
       crashes = open.crashes + (item.value ->> 3),
       last_trace = item.value ->> 4,
       token = NULL,
       leased_by = NULL,
       claimed_at = NULL,
       leased_until = NULL,
       deadline = NULL
  FROM json_each(:back) AS item
 WHERE open.chain_id = item.value ->> 0;
