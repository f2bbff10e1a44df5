-- Lease the jobs that find_ready and find_suspect found. Both run in one transaction under the write lock, so none of
-- them can have been leased meanwhile.
UPDATE main."{schema}_open_job" AS open
   SET attempt = open.attempt + 1,
       token = :token,
       leased_by = :worker,
       claimed_at = :now,
       leased_until = leased.value ->> 1,
       deadline = leased.value ->> 2
  FROM json_each(:leased) AS leased
 WHERE open.chain_id = leased.value ->> 0;
