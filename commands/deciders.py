"""Deciders: every kind of command and who decides it."""

from msgspec.structs import replace

from commands import (
    accounts,
    approval_policy,
    authorizations,
    bank_lines,
    breaks,
    cancellations,
    changes,
    circuits,
    claims,
    closings,
    coin_moves,
    confirmations,
    contract_results,
    contract_updates,
    contracts,
    corrections,
    credit_lines,
    credit_losses,
    customers,
    dispute_answers,
    disputes,
    entries,
    erasure,
    errands,
    funds,
    fx,
    fx_settlements,
    holds,
    log_key_changes,
    merchant_losses,
    merchants,
    payer_letters,
    payment_methods,
    payments,
    payouts,
    periods,
    principals,
    receipts,
    reconciliation,
    refunds,
    repayments,
    report_imports,
    retries,
    returned_refunds,
    reviews,
    revocations,
    risk_lists,
    risk_rules,
    routing_rules,
    scheduled_payments,
    settlement_batches,
    settlements,
    shares,
    top_ups,
    transfers,
    treasury,
    wallets,
    webhooks,
)
from commands.approvals import approving
from commands.consequences import with_consequences
from commands.contract_charges import settling
from commands.envelope import Command
from commands.guarding import guarded
from commands.handler import Decider

_DECIDERS: dict[type[Command], Decider] = (
    accounts.DECIDERS
    | transfers.DECIDERS
    | entries.DECIDERS
    | erasure.DECIDERS
    | errands.DECIDERS
    | holds.DECIDERS
    | log_key_changes.DECIDERS
    | periods.DECIDERS
    | approval_policy.DECIDERS
    | merchants.DECIDERS
    | payer_letters.DECIDERS
    | merchant_losses.DECIDERS
    | customers.DECIDERS
    | top_ups.DECIDERS
    | credit_lines.DECIDERS
    | fx.DECIDERS
    | fx_settlements.DECIDERS
    | coin_moves.DECIDERS
    | credit_losses.DECIDERS
    | repayments.DECIDERS
    | payments.DECIDERS
    | confirmations.DECIDERS
    | closings.DECIDERS
    | cancellations.DECIDERS
    | authorizations.DECIDERS
    | changes.DECIDERS
    | revocations.DECIDERS
    | refunds.DECIDERS
    | disputes.DECIDERS
    | dispute_answers.DECIDERS
    | receipts.DECIDERS
    | returned_refunds.DECIDERS
    | reviews.DECIDERS
    | risk_lists.DECIDERS
    | risk_rules.DECIDERS
    | contracts.DECIDERS
    | contract_results.DECIDERS
    | contract_updates.DECIDERS
    | payment_methods.DECIDERS
    | scheduled_payments.DECIDERS
    | payouts.DECIDERS
    | principals.DECIDERS
    | treasury.DECIDERS
    | wallets.DECIDERS
    | funds.DECIDERS
    | shares.DECIDERS
    | webhooks.DECIDERS
    | routing_rules.DECIDERS
    | retries.DECIDERS
    | corrections.DECIDERS
    | circuits.DECIDERS
    | settlements.DECIDERS
    | claims.DECIDERS
    | settlement_batches.DECIDERS
    | bank_lines.DECIDERS
    | report_imports.DECIDERS
    | breaks.DECIDERS
    | reconciliation.DECIDERS
)
# They move no payment, and there are many of them.
_OF_THE_LEDGER = (
    accounts.DECIDERS
    | transfers.DECIDERS
    | entries.DECIDERS
    | holds.DECIDERS
    | log_key_changes.DECIDERS
    | periods.DECIDERS
    | approval_policy.DECIDERS
)
_UNGUARDED: dict[type[Command], Decider] = {
    kind: decider if kind in _OF_THE_LEDGER else replace(decider, decide=settling(with_consequences(decider.decide)))
    for kind, decider in _DECIDERS.items()
}
# What was asked for is decided behind its guard when a second person has agreed.
DECIDERS: dict[type[Command], Decider] = _UNGUARDED | guarded(_UNGUARDED) | approving(_UNGUARDED)
