-- Bounds the wait for locks until the end of the transaction, or until it is set back to what it was before.
SELECT current_setting('lock_timeout') AS before, set_config('lock_timeout', $1::text, true)
