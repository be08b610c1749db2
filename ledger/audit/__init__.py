"""Audit: how a stranger checks the log: its tree of hashes, proofs, checkpoints. No I/O."""
