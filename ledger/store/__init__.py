"""The event store: the only room of the ledger that touches PostgreSQL, and the only one that knows `eventsourcing`."""
