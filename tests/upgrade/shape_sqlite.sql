-- What would depend on the time at which the fixture is loaded is moved to times that are past, or far ahead.
UPDATE otelq_open_job SET run_at = 4102444800000000 WHERE run_at > unixepoch('now') * 1000000 + 999999;
UPDATE otelq_open_job SET leased_until = 4102444800000000, deadline = 4102444800000000 WHERE type = 'running';
UPDATE otelq_open_job SET leased_until = claimed_at WHERE type = 'running_lost';
UPDATE otelq_open_job SET expires_at = 4102444800000000 WHERE type = 'expires_later';
UPDATE otelq_open_job SET expires_at = run_at WHERE type = 'expired_unseen';

-- A dependent for which the commit that closed its blocker had no room.
UPDATE otelq_open_job SET blocked_by_count = 1 WHERE type = 'pending';
UPDATE otelq_blocker SET released_at = NULL WHERE chain_id = (SELECT chain_id FROM otelq_job WHERE type = 'pending');
INSERT INTO otelq_pending_unblock SELECT chain_id FROM otelq_outcome WHERE type = 'released_blocker';
