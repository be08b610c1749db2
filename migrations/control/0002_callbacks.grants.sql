-- Messages are kept and marked, and never forgotten.

GRANT SELECT, INSERT, UPDATE ON channel_callbacks TO ledger_app;
