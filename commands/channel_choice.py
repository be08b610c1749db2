"""Channel choice: what routing has to know, read from the log in the decision itself, and what of it is recorded.

Everything that a choice depends on is in the log before it: the order, the rules, the circuits, the statistics. So the
same choice can be made again from the log at any time.
"""

from typing import Any

from msgspec.structs import replace
from psycopg import AsyncConnection

from commands.books import Books
from commands.policies.channels import CHANNELS, PAYOUT_METHODS
from commands.policies.charges import charge_of
from commands.policies.routing import Route, RoutingFacts, Statistics, route
from commands.policies.routing_rules import NO_RULES, CompiledRules, rules_of
from ledger.circuit_state import Circuit, circuit_of
from ledger.events.circuits import circuit_stream
from ledger.events.event import Recorded
from ledger.events.payments import PaymentCreated, PaymentRouted
from ledger.events.routing import (
    RULES_STREAM,
    STATISTICS_STREAM,
    RoutingRulesActivated,
    RoutingStatisticsTaken,
)
from ledger.store import read

_ABSENT = "false"


def streams_of_routing(method: str) -> tuple[str, ...]:
    """The streams of which a choice for this method reads the last event."""
    circuits = [circuit_stream(terms.name, method) for terms in CHANNELS if method in terms.methods]
    return (RULES_STREAM, STATISTICS_STREAM, *circuits) if circuits or method in PAYOUT_METHODS else ()


def rules_after(last: Recorded | None) -> CompiledRules:
    """The rules that hold after the last event of their stream."""
    if last is not None and isinstance(last.event, RoutingRulesActivated):
        return rules_of(last.event.version, last.event.text)
    return NO_RULES


def statistics_after(last: Recorded | None) -> Statistics:
    return last.event.results if last is not None and isinstance(last.event, RoutingStatisticsTaken) else {}


def active_rules(books: Books) -> CompiledRules:
    return rules_after(books.latest(RULES_STREAM))


def circuits_for(books: Books, method: str) -> dict[str, Circuit]:
    """The circuit of each channel that carries this method."""
    return {
        terms.name: circuit_of(terms.name, method, books.latest(circuit_stream(terms.name, method)))
        for terms in CHANNELS
        if method in terms.methods
    }


def facts_of(created: PaymentCreated) -> RoutingFacts:
    """What routing may look at of an order."""
    charge = charge_of(created)
    details, client = charge.details, created.client
    return RoutingFacts(
        seed=created.id,
        product=created.product,
        method=charge.method,
        amount=charge.amount,
        currency=charge.currency,
        merchant=created.merchant,
        customer=created.customer or "",
        country=details.get("country") or client.get("country", ""),
        bin=details.get("bin", ""),
        capture=created.capture,
        customer_present=client.get("customer_present") != _ABSENT,
        metadata=created.metadata,
    )


def chosen_for(books: Books, facts: RoutingFacts) -> Route:
    """The channel for a charge, by what the log says now; raises ChannelUnavailable."""
    rules = active_rules(books)
    statistics = statistics_after(books.latest(STATISTICS_STREAM)) if rules.by_success else {}
    return route(facts, rules, circuits_for(books, facts.method), statistics)


async def rehearsed(
    connection: AsyncConnection[Any], book: str, facts: RoutingFacts, rules: CompiledRules | None = None
) -> Route:
    """The channel that a charge would go to now, by these rules or by those of now; raises ChannelUnavailable."""
    last = await read.latest(connection, book, streams_of_routing(facts.method))
    circuits = {
        terms.name: circuit_of(terms.name, facts.method, last.get(circuit_stream(terms.name, facts.method)))
        for terms in CHANNELS
    }
    rules = rules_after(last.get(RULES_STREAM)) if rules is None else rules
    return route(facts, rules, circuits, statistics_after(last.get(STATISTICS_STREAM)))


def payers_of(chosen: Route) -> Route:
    """What is recorded of a payout's choice; that a channel pays nothing out at all is no news."""
    payers = {terms.name for terms in CHANNELS if terms.payouts}
    return replace(chosen, considered={name: why for name, why in chosen.considered.items() if name in payers})


def routed(chosen: Route, method: str) -> PaymentRouted:
    """What is recorded of a choice; that a channel does not carry the method at all is no news."""
    carriers = {terms.name for terms in CHANNELS if method in terms.methods}
    considered = {name: why for name, why in chosen.considered.items() if name in carriers}
    return PaymentRouted(chosen.channel, chosen.because, chosen.candidates, chosen.rules, considered)
