UPDATE main."{schema}_open_job" AS open
   SET attempt = open.attempt + 1,
       token = :token,
       leased_by = :worker,
       claimed_at = :now,
       leased_until = taken.value ->> 1,
       deadline = taken.value ->> 2
  FROM json_each(:taken) AS taken
 WHERE open.chain_id = taken.value ->> 0;
