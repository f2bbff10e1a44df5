-- How the job that the scan is at ended, redrives apart.
main."{schema}_outcome" AS outcome
                      WHERE outcome.chain_id = scan.chain_id AND outcome.position = scan.position
                        AND outcome.generation = 0
