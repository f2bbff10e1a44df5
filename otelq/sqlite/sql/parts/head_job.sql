-- The first job of the chain; it has the chain's type and metadata.
main."{schema}_job" AS head WHERE head.chain_id = scan.chain_id AND head.position = 0
