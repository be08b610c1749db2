-- What the application may do with its views of payouts and funds.

GRANT SELECT, INSERT, UPDATE ON payouts, merchant_funds TO ledger_app;
GRANT SELECT, INSERT ON merchant_terms TO ledger_app;
