-- What the application may do with its view of approvals.

GRANT SELECT, INSERT, UPDATE ON approvals TO ledger_app;
