-- What the application may do with what the views of reconciliation are read from.

GRANT SELECT, INSERT, UPDATE ON settlement_batches, settlement_batch_rows, sub_ledger_items TO ledger_app;
GRANT SELECT, INSERT ON receivable_flows TO ledger_app;
