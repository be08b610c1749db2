-- What the application may do with its view of disputes.

GRANT SELECT, INSERT, UPDATE ON disputes TO ledger_app;
