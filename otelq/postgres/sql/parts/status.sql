CASE
            WHEN o.token IS NOT NULL THEN 'running'
            WHEN o.blocked_by > 0 THEN 'blocked'
            WHEN o.run_at > statement_timestamp() THEN 'scheduled'
            ELSE 'ready'
        END
