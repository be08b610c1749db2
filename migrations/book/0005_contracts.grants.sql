-- What the application may do with what it knows of contracts: all that following the log takes.

GRANT SELECT, INSERT, UPDATE ON contracts TO ledger_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON contract_dues TO ledger_app;
