-- Leaves closed chains that still have dependents to unblock_pending, in ascending order. A chain that is pending
-- already stays as it is.
INSERT INTO {schema}.pending_unblock (blocker_id, since)
SELECT closed.chain_id, {now}
FROM unnest($2::uuid[]) AS closed (chain_id)
WHERE EXISTS (
    SELECT FROM {schema}.blocker AS b WHERE b.blocker_id = closed.chain_id AND b.released_at IS NULL
)
ORDER BY closed.chain_id
ON CONFLICT DO NOTHING
