-- Memo accounts: beside the books, for what is neither owned nor owed. Their balance is stated on the debit side.

ALTER TABLE balances
    DROP CONSTRAINT balances_kind,
    DROP CONSTRAINT balances_floor,
    DROP CONSTRAINT balances_ceiling,
    ADD CONSTRAINT balances_kind CHECK (kind IN ('asset', 'liability', 'equity', 'revenue', 'expense', 'memo')),
    ADD CONSTRAINT balances_floor CHECK (
        outside_limits OR min_balance IS NULL OR min_balance <=
        CASE WHEN kind IN ('asset', 'expense', 'memo')
             THEN posted_debits::numeric - posted_credits - pending_credits
             ELSE posted_credits::numeric - posted_debits - pending_debits END),
    ADD CONSTRAINT balances_ceiling CHECK (
        outside_limits OR max_balance IS NULL OR max_balance >=
        CASE WHEN kind IN ('asset', 'expense', 'memo')
             THEN posted_debits::numeric - posted_credits
             ELSE posted_credits::numeric - posted_debits END);
