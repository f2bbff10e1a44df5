open.token IS NULL AND open.blocked_by_count = 0 AND open.crashes = 0
