-- The same words as in the partial index of claimable jobs, or SQLite would not use it.
open.token IS NULL AND open.blocked_by_count = 0 AND open.crashes = 0
