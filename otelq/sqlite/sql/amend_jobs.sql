-- Change the priority and the time of a job that waits. The index of claimable jobs follows by itself.
UPDATE main."{schema}_open_job"
   SET priority = coalesce(:priority, priority),
       run_at = :run_at
 WHERE chain_id = :chain;
