"""The read side, tested on real books against what the log alone says."""
