-- What would depend on the time at which the fixture is loaded is moved to times that are past, or far ahead.
UPDATE otelq.open_job SET run_at = '2100-01-01 00:00+00' WHERE run_at > statement_timestamp();
UPDATE otelq.open_job SET leased_until = '2100-01-01 00:00+00', deadline = '2100-01-01 00:00+00' WHERE type = 'running';
UPDATE otelq.open_job SET leased_until = claimed_at WHERE type = 'running_lost';
UPDATE otelq.open_job SET expires_at = '2100-01-01 00:00+00' WHERE type = 'expires_later';
UPDATE otelq.open_job SET expires_at = run_at WHERE type = 'expired_unseen';

-- A dependent for which the commit that closed its blocker had no room.
UPDATE otelq.open_job SET blocked_by = 1 WHERE type = 'pending';
UPDATE otelq.blocker SET released_at = NULL WHERE chain_id = (SELECT chain_id FROM otelq.job WHERE type = 'pending');
INSERT INTO otelq.pending_unblock (blocker_id, since)
SELECT chain_id, closed_at FROM otelq.outcome WHERE type = 'released_blocker';
