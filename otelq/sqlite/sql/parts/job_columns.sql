chain_id, position, type, queue, stands, input, created_at, priority, attempt, crashes, run_at, leased_by,
           leased_until, closed_at, output, error_type, error_text, blocked_by, amended_input, expires_at, trace, meta,
           chain_type
