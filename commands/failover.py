"""Failover: what comes after an attempt that failed: another channel, the same one with a proof, or the end.

not sent, the channel's own trouble, a request that it refuses   the next candidate, while attempts are left
the issuer wants to know that it is the payer                    the same channel once more, with a proof
no money, wrong data, a hard no, fraud                           the end, whatever is left
nobody knows what became of it                                   is no decline and never comes here
"""

from commands.attempts import agreed_attempt, initiated
from commands.books import Books
from commands.channel_choice import active_rules, circuits_for, facts_of
from commands.contract_charges import is_agreed, with_bound_card
from commands.policies.routing import Circuits, Route, fail_over
from commands.policies.routing_rules import CompiledRules
from ledger.events.event import Event
from ledger.events.payments import PaymentAttemptDeclined, PaymentFailed, PaymentRouted
from ledger.payment import Attempt, Payment

# Groups that say nothing about the payer or his card: another channel may do better.
FAILS_OVER = frozenset({"try_again", "configuration", "integration"})
STEP_UP = "authentication_required"


def after_decline(books: Books, payment: Payment, attempt: Attempt, declined: PaymentAttemptDeclined) -> list[Event]:
    """What follows in the payment's stream; `payment` and `attempt` are as they were before this decline."""
    # Where the payer agreed with one channel, no other may; under a contract he is not there to prove himself.
    if not declined.hard and not is_agreed(payment.created):
        if declined.group == STEP_UP and not any(one.authenticate for one in payment.attempts):
            same = Route(attempt.channel, "with a proof")
            return [initiated(payment.created, len(payment.attempts) + 1, same, authenticate=True)]
        method = facts_of(payment.created).method
        routed = next_choice(payment, declined, active_rules(books), circuits_for(books, method))
        if routed is not None:
            chosen = Route(routed.channel, routed.because)
            number = len(payment.attempts) + 1
            return [routed, initiated(payment.created, number, chosen, authenticate=attempt.authenticate)]
    asked_for_proof = declined.group == STEP_UP and not any(one.authenticate for one in payment.attempts)
    if asked_for_proof and not declined.hard and with_bound_card(payment.created):
        # With a card of his that we know, the payer is there.
        return agreed_attempt(books, payment.created, len(payment.attempts) + 1, authenticate=True)
    return [PaymentFailed(declined.group, declined.message)]


def next_choice(
    payment: Payment, declined: PaymentAttemptDeclined, rules: CompiledRules, circuits: Circuits
) -> PaymentRouted | None:
    """The channel that is tried next after this decline; None: no other one is."""
    routing, attempt = payment.routing, payment.attempt(declined.attempt)
    tried = {one.channel for one in payment.attempts}
    if declined.hard or declined.group not in FAILS_OVER or routing is None or attempt is None:
        return None
    if len(tried) >= rules.document.max_attempts:
        return None
    name, passed = fail_over(routing.candidates, tried, facts_of(payment.created), circuits)
    because = f"{attempt.channel} said {declined.group}" if declined.sent else f"{attempt.channel} could not be reached"
    return None if name is None else PaymentRouted(name, because, routing.candidates, routing.rules, passed)
