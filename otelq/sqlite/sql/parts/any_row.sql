job.chain_id, job.position, job.type, job.queue,
           iif(open.chain_id IS NULL, outcome.status, {open_status}) AS stands,
           job.input, job.created_at, coalesce(open.priority, outcome.priority) AS priority,
           coalesce(open.attempt, outcome.attempt) AS attempt, coalesce(open.crashes, outcome.crashes) AS crashes,
           coalesce(open.run_at, outcome.run_at) AS run_at, open.leased_by, open.leased_until, outcome.closed_at,
           outcome.output, outcome.error_type, outcome.error_text, coalesce(open.blocked_by_count, 0) AS blocked_by,
           job.amended_input, open.expires_at, job.trace, job.meta, head.type AS chain_type
