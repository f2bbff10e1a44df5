UPDATE main."{schema}_open_job"
   SET priority = coalesce(:priority, priority),
       run_at = :run_at
 WHERE chain_id = :chain;
