"""The write side: pure deciders, one handler, what an event sets in motion. Imports the ledger and nothing above."""
