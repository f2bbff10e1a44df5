outcome.chain_id, outcome.position, outcome.type, job.queue, outcome.status AS stands, job.input, job.created_at,
           outcome.priority, outcome.attempt, outcome.crashes, outcome.run_at, NULL AS leased_by, NULL AS leased_until,
           outcome.closed_at, outcome.output, outcome.error_type, outcome.error_text, 0 AS blocked_by,
           job.amended_input, NULL AS expires_at, job.trace, job.meta, head.type AS chain_type
