"""Show and Tell, R2Gen, Ref2Seq, PETER, and floors that learn nothing; each owns its inputs."""
