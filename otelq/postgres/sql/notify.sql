-- A statement of its own and never part of a verb: a commit that notifies takes a lock on the whole server's queue, and a
-- full queue, or a standby, would fail what was to be committed with it. All commits that notify wait for each other
-- under that lock, so this one does not wait for the disk as well: a crash may lose a hint.
SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, message)
FROM unnest($2::text[]) AS given (message)
