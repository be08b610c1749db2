"""Report files: what channels and banks say happened; each format is read into the same rows; no I/O of its own."""
