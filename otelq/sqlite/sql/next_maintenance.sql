-- Find when a lease of the types runs out, a job expires, or dependents of a closed chain are pending, whichever is first.
-- It needs no write lock, and most rounds of the reaper then need none.
SELECT json_group_array(at)
  FROM (
    SELECT min(at) AS at
      FROM (
        SELECT min(leased_until) AS at FROM main."{schema}_open_job" INDEXED BY "{schema}_leased"
         WHERE token IS NOT NULL
           AND type IN (SELECT value FROM json_each(:types))
           AND token NOT IN (SELECT value FROM json_each(:except_tokens))
        UNION ALL
        SELECT min(expires_at) FROM main."{schema}_open_job" INDEXED BY "{schema}_expiring"
         WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0
        UNION ALL
        SELECT :now WHERE EXISTS (SELECT 1 FROM main."{schema}_pending_unblock")
      )
  )
 WHERE at IS NOT NULL;
