"""Ledger: laws of the pure rooms."""
