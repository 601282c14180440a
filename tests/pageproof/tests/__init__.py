"""The proofs of the machinery itself, on toy sites."""
