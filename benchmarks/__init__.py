"""Benchmarks: how fast it is, as ratios to what the same database does at its simplest, in one run."""
