"""Tests of the event store and of the PostgreSQL below it."""
