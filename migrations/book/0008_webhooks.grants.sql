-- What the application may do with its messages to others: everything but forget them.

GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, webhook_deliveries TO ledger_app;
