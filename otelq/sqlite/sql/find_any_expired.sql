-- Look for one expired job without the write lock, because most rounds find none. INDEXED BY makes the statement fail,
-- not slow, if the partial index could not be used any more.
SELECT json_group_array(1)
  FROM (
    SELECT 1 FROM main."{schema}_open_job" INDEXED BY "{schema}_expiring"
     WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0 AND expires_at <= :now
     LIMIT 1
  );
