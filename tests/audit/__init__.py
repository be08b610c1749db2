"""Tests of the room ledger/audit."""
