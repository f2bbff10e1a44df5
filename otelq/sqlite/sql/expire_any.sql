-- Whether the time of any job has passed: asked without the write lock.
SELECT json_group_array(1)
  FROM (
    SELECT 1 FROM main."{schema}_open_job" INDEXED BY "{schema}_expiring"
     WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0 AND expires_at <= :now
     LIMIT 1
  );
