-- What the application may do with the log: add to it and read it. Nobody may change or remove an event.

GRANT SELECT, INSERT ON events, idempotency_keys, late_answers, entry_references TO ledger_app;
GRANT SELECT, UPDATE ON log_head TO ledger_app;
GRANT SELECT, INSERT, UPDATE ON balances TO ledger_app;
GRANT SELECT, INSERT, DELETE ON closed_periods TO ledger_app;
