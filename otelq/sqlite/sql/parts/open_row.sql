open.chain_id, open.position, open.type, open.queue, {open_status} AS stands,
           job.input, job.created_at, open.priority, open.attempt, open.crashes, open.run_at, open.leased_by,
           open.leased_until, NULL AS closed_at, NULL AS output, NULL AS error_type, NULL AS error_text,
           open.blocked_by_count AS blocked_by, job.amended_input, open.expires_at, job.trace, job.meta,
           head.type AS chain_type
