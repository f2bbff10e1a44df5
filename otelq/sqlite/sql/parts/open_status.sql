-- A scheduled job becomes ready by the clock, without a write.
CASE
               WHEN open.blocked_by_count > 0 THEN 'blocked'
               WHEN open.token IS NOT NULL THEN 'running'
               WHEN open.run_at > :now THEN 'scheduled'
               ELSE 'ready'
           END
