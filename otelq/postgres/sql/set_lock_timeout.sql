-- Bounds the wait for locks until the end of the transaction, or until it is set back. Returns the value before: in a
-- caller's transaction the caller's own setting must come back.
SELECT current_setting('lock_timeout') AS before, set_config('lock_timeout', $1::text, true)
