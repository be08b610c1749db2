-- Checkpoints and cosignatures are added and never changed; tiles grow at the right edge, out of
-- new leaves.

GRANT SELECT, INSERT ON checkpoints, cosignatures TO ledger_app;
GRANT SELECT, INSERT, UPDATE ON tiles TO ledger_app;
GRANT SELECT, UPDATE ON sealer TO ledger_app;
GRANT SELECT, INSERT, DELETE ON new_leaves TO ledger_app;
