-- What the application may do with books and keys: read them. Making and revoking is the owner's.

GRANT SELECT ON books, api_keys TO ledger_app;
