"""Routing replay: every choice of a channel made again from the log that stood before it, beside the one recorded.

They are the same, or the log does not hold all that the choice depended on, or somebody has changed how it is made. By
other rules than those of then, it says what they would have chosen.
"""

from collections.abc import Iterable, Iterator

from commands.channel_choice import facts_of, routed, rules_after, statistics_after
from commands.contract_charges import is_agreed
from commands.failover import next_choice
from commands.policies.channels import CHANNELS
from commands.policies.routing import route
from commands.policies.routing_rules import CompiledRules
from ledger.circuit_state import circuit_of
from ledger.errors import ChannelUnavailable
from ledger.events.circuits import CIRCUIT_PREFIX, circuit_stream
from ledger.events.event import Recorded
from ledger.events.payments import PaymentAttemptDeclined, PaymentCreated, PaymentRouted
from ledger.events.routing import RULES_STREAM, STATISTICS_STREAM
from ledger.ids import PAYMENT
from ledger.payment import CANCELED, EXPIRED, FAILED, REJECTED, SUCCEEDED, Payment
from ledger.payment_state import evolve

Choice = tuple[Recorded, PaymentRouted | None]
"""What is recorded, and what is chosen when the choice is made again; None: no channel."""


_READ = (RULES_STREAM, STATISTICS_STREAM, CIRCUIT_PREFIX)
# Nothing is chosen any more.
_OVER = frozenset({SUCCEEDED, CANCELED, EXPIRED, REJECTED})


def replayed(log: Iterable[Recorded], rules: CompiledRules | None = None) -> Iterator[Choice]:
    """Each choice in a whole log, in order. What a payer has agreed with one channel is no choice and left out.

    `rules`: instead of those of then. Each choice is made where it was made, after what really happened before it.
    """
    last: dict[str, Recorded] = {}
    payments: dict[str, Payment] = {}
    declines: dict[str, PaymentAttemptDeclined] = {}
    for recorded in log:
        stream, event = recorded.stream, recorded.event
        if not stream.startswith(PAYMENT):
            if stream.startswith(_READ):
                last[stream] = recorded
            continue
        before = payments.get(stream)
        if isinstance(event, PaymentRouted) and before is not None and not is_agreed(before.created):
            # After a failure it is a fresh choice: somebody has asked for it to be tried again.
            declined = None if before.status == FAILED else declines.get(stream)
            yield recorded, _again(before, declined, last, rules)
        if before is not None or isinstance(event, PaymentCreated):
            after = payments[stream] = evolve(before, recorded)
            if after.status in _OVER:
                del payments[stream]
                declines.pop(stream, None)
                continue
        if isinstance(event, PaymentAttemptDeclined):
            declines[stream] = event


def _again(
    payment: Payment,
    declined: PaymentAttemptDeclined | None,
    last: dict[str, Recorded],
    others: CompiledRules | None,
) -> PaymentRouted | None:
    facts = facts_of(payment.created)
    rules = rules_after(last.get(RULES_STREAM)) if others is None else others
    circuits = {
        terms.name: circuit_of(terms.name, facts.method, last.get(circuit_stream(terms.name, facts.method)))
        for terms in CHANNELS
        if facts.method in terms.methods
    }
    if declined is not None:
        return next_choice(payment, declined, rules, circuits)
    try:
        return routed(route(facts, rules, circuits, statistics_after(last.get(STATISTICS_STREAM))), facts.method)
    except ChannelUnavailable:
        return None
