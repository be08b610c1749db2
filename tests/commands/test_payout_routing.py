"""Payout routing: payouts are given to channels by the terms, by rules in the one language, and say why."""

import pytest
from msgspec.structs import replace

from commands.channel_choice import payers_of
from commands.payouts import CreatePayout
from commands.policies.channels import CHANNELS, terms_of
from commands.policies.payouts import facts_of_payout
from commands.policies.routing import RoutingFacts, route
from commands.policies.routing_rules import (
    LeastCost,
    Priority,
    RoutingRules,
    Rule,
    Selection,
    Share,
    Split,
    checked,
    rules_of,
    text_of,
)
from commands.routing_rules import ActivateRoutingRules
from ledger.errors import ChannelUnavailable
from ledger.events.payouts import Destination, PayoutCreated
from tests.commands.given import Outcome, given
from tests.commands.payout_stories import BANK, BANK_PAYER, FLOAT_PAYER, FUNDED

INSTANT = "instant_payouts"
MOST = 10_000_000


def payout(amount: int = 2_000, source: str = "merchant", party: str = "acme", name: str = "po_1") -> CreatePayout:
    return CreatePayout(name, source, party, amount, "EUR", BANK, metadata={"speed": "instant"})


def facts(amount: int = 2_000, currency: str = "EUR", source: str = "merchant", name: str = "po_1") -> RoutingFacts:
    return facts_of_payout(name, source, "acme", amount, currency, BANK, {"speed": "instant"})


def rules(selection: Selection, when: str = "method == 'bank_account'") -> RoutingRules:
    return RoutingRules((Rule("out", when, selection),))


def decided(outcome: Outcome) -> PayoutCreated:
    assert outcome.decision is not None, outcome.refusal
    (created,) = [event for _, event in outcome.decision.events if isinstance(event, PayoutCreated)]
    return created


@pytest.mark.parametrize(
    ("source", "party", "when", "channel"),
    [
        ("merchant", "acme", "product == 'payout' && merchant == 'acme'", INSTANT),
        ("merchant", "acme", "product == 'payout' && country == 'DE' && metadata.speed == 'instant'", INSTANT),
        ("merchant", "acme", "product == 'payout' && amount > 2000", BANK_PAYER),
        ("merchant", "acme", "product == 'withdrawal'", BANK_PAYER),
        ("customer", "ann", "product == 'withdrawal' && customer == 'ann'", INSTANT),
        # Agency pay is paid out of the float, whatever rules say.
        ("principal", "payroll", "true", FLOAT_PAYER),
    ],
)
def test_the_first_rule_that_holds_names_the_channel(source: str, party: str, when: str, channel: str) -> None:
    document = rules(Priority((INSTANT,)), when)
    created = decided(given(*FUNDED, ActivateRoutingRules(document)).when(payout(source=source, party=party)))
    assert (created.channel, created.candidates[0], created.rules) == (channel, channel, text_of(document)[0])
    assert created.considered.keys() == {BANK_PAYER, FLOAT_PAYER, INSTANT} - {channel}
    assert created.prefunded == (channel == FLOAT_PAYER)


def test_the_recorded_choice_is_made_again_from_what_stood_before_it() -> None:
    document = rules(Split((Share(BANK_PAYER, 50), Share(INSTANT, 50))))
    story = given(*FUNDED, ActivateRoutingRules(document))
    ready = rules_of(*text_of(document))
    chosen = set()
    for number in range(4):
        name = f"po_{number}"
        created = decided(story.when(payout(100, name=name)))
        again = payers_of(route(facts(100, name=name), ready))
        told = (created.channel, created.because, created.candidates, created.considered, created.rules)
        assert told == (again.channel, again.because, again.candidates, again.considered, again.rules)
        chosen.add(created.channel)
    assert chosen == {BANK_PAYER, INSTANT}


def test_least_cost_looks_at_what_a_payout_costs() -> None:
    found = route(facts(), rules_of(*text_of(rules(LeastCost((INSTANT, BANK_PAYER))))))
    assert (found.candidates, found.because) == ((BANK_PAYER, INSTANT), "the rule out: it keeps 25, the least of 2")


@pytest.mark.parametrize(
    ("changes", "channel"),
    [({}, INSTANT), ({"amount": MOST}, INSTANT), ({"amount": MOST + 1}, BANK_PAYER), ({"currency": "USD"}, BANK_PAYER)],
)
def test_a_channel_pays_within_its_terms_and_the_next_one_beyond(changes: dict[str, object], channel: str) -> None:
    by_rule = rules_of(*text_of(rules(Priority((INSTANT, BANK_PAYER)))))
    assert route(replace(facts(), **changes), by_rule).channel == channel


def test_what_no_channel_pays_is_refused_with_why_each_does_not() -> None:
    only = tuple(terms for terms in CHANNELS if terms.name in (FLOAT_PAYER, "carrier"))
    with pytest.raises(ChannelUnavailable) as refused:
        route(facts(), channels=only)
    assert refused.value.facts["considered"] == {FLOAT_PAYER: "pays out of a float", "carrier": "pays nothing out"}


def test_rules_for_charges_and_for_payouts_do_not_disturb_each_other() -> None:
    card = rules_of(*text_of(rules(Priority((FLOAT_PAYER, BANK_PAYER)), "method == 'card'")))
    assert route(facts(), card).because == "the only channel for bank_account"
    broad = rules_of(*text_of(rules(Priority((FLOAT_PAYER, BANK_PAYER)), "amount > 0")))
    assert route(facts(), broad).channel == BANK_PAYER
    charge = RoutingFacts("pay_1", "quick_pay", "card", 2_000, "EUR")
    assert INSTANT not in route(charge).candidates


def test_a_rule_that_names_a_channel_which_pays_nothing_out_is_warned_of() -> None:
    assert checked(rules(Priority((INSTANT,)), "method == 'token'")) == ()
    (warning,) = checked(rules(Priority(("carrier",))))
    assert "carrier" in warning
    (warning,) = checked(rules(Priority((INSTANT,)), "method == 'card'"))
    assert INSTANT in warning


def test_routing_sees_nothing_of_the_receiver_but_kind_and_country() -> None:
    told = facts_of_payout("po_1", "merchant", "acme", 1, "EUR", Destination("token", token="tok_1"), {})
    assert (told.method, told.country) == ("token", "")
    assert BANK.account_number not in str(facts().values())
    assert terms_of(INSTANT) is not None
