"""Routing: each kind of rule as a table, what is decided by chance as laws, and what is wrong with rules."""

import time
from pathlib import Path
from statistics import median

import msgspec
import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st

from commands.policies.channels import ChannelTerms
from commands.policies.routing import Route, RoutingFacts, fail_over, route
from commands.policies.routing_rules import (
    CompiledRules,
    LeastCost,
    Priority,
    RoutingRules,
    Rule,
    Selection,
    Share,
    Split,
    SuccessRate,
    checked,
    rules_of,
    text_of,
)
from ledger.circuit_state import Circuit
from ledger.errors import ChannelUnavailable, RoutingRulesInvalid

A, B, C = "card_simulator", "card_simulator_b", "small_bank"
CHANNELS = (
    ChannelTerms(A, methods=("card",), fee_bps=60, manual_capture=True),
    ChannelTerms(B, methods=("card", "bank_redirect"), fee_bps=90, manual_capture=True),
    ChannelTerms(C, methods=("card",), fee_bps=10, currencies=("EUR",), minimum=100, maximum=10_000),
)
FACTS = RoutingFacts("pay_1", "quick_pay", "card", 6_000, "EUR", merchant="acme", metadata={"tier": "gold"})


def compiled(document: RoutingRules) -> CompiledRules:
    return rules_of(*text_of(document))


def chosen(document: RoutingRules, facts: RoutingFacts = FACTS, **known: object) -> Route:
    return route(facts, compiled(document), channels=CHANNELS, **known)  # type: ignore[arg-type]


def by_default(selection: Selection) -> RoutingRules:
    return RoutingRules(default=selection)


# --- who can --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "candidates", "because"),
    [
        ({}, (A, B, C), "the first of 3 for card"),
        ({"currency": "USD"}, (A, B), "the first of 2 for card"),
        ({"amount": 99}, (A, B), "the first of 2 for card"),
        ({"amount": 10_001}, (A, B), "the first of 2 for card"),
        ({"capture": "manual"}, (A, B), "the first of 2 for card"),
        ({"method": "bank_redirect"}, (B,), "the only channel for bank_redirect"),
    ],
)
def test_only_channels_whose_terms_cover_the_charge_are_candidates(
    changes: dict[str, object], candidates: tuple[str, ...], because: str
) -> None:
    found = route(msgspec.structs.replace(FACTS, **changes), channels=CHANNELS)
    assert (found.channel, found.candidates, found.because) == (candidates[0], candidates, because)
    assert found.considered.keys() == {A, B, C} - {found.channel}


def test_a_channel_for_rules_only_is_tried_where_they_name_it() -> None:
    real = (*CHANNELS, ChannelTerms("real", methods=("card", "wire"), fee_bps=1, by_rules_only=True))
    found = route(FACTS, channels=real)
    assert (found.candidates, found.considered["real"]) == (
        (A, B, C),
        "neither the rules nor the list of channels name it",
    )
    assert route(FACTS, compiled(by_default(Priority(("real", A)))), channels=real).candidates == ("real", A)
    with pytest.raises(ChannelUnavailable):
        route(msgspec.structs.replace(FACTS, method="wire"), channels=real)


def test_where_no_channel_can_it_is_said_why_of_each() -> None:
    with pytest.raises(ChannelUnavailable) as refused:
        route(msgspec.structs.replace(FACTS, method="coin"), channels=CHANNELS)
    assert refused.value.facts == {"considered": dict.fromkeys((A, B, C), "does not carry coin")}


# --- the kinds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "facts", "candidates", "because"),
    [
        (Priority((B, A)), FACTS, (B, A), "the default: the first of its list"),
        (Priority((C, B)), FACTS, (C, B), "the default: the first of its list"),
        (
            Priority((C, B)),
            msgspec.structs.replace(FACTS, currency="USD"),
            (B,),
            "the default: the first of its list that can",
        ),
        (
            Priority((C,)),
            msgspec.structs.replace(FACTS, currency="USD"),
            (A, B),
            "the default names no channel that can take it",
        ),
        (Split((Share(A, 0), Share(B, 100))), FACTS, (B, A), "the default: its share of 100 %"),
        (LeastCost((A, B, C)), FACTS, (C, A, B), "the default: it keeps 6, the least of 3"),
        (
            LeastCost((B, A)),
            msgspec.structs.replace(FACTS, amount=1_000),
            (A, B),
            "the default: it keeps 6, the least of 2",
        ),
    ],
)
def test_each_kind_orders_the_channels_that_it_names(
    selection: Selection, facts: RoutingFacts, candidates: tuple[str, ...], because: str
) -> None:
    found = chosen(by_default(selection), facts)
    assert (found.candidates, found.because) == (candidates, because)
    assert found.considered.keys() == {A, B, C} - {found.channel}


@pytest.mark.parametrize(
    ("results", "best", "because"),
    [
        ({}, A, "0 of its last 0 succeeded, the best of 2"),
        ({f"{A}/card": (8, 10), f"{B}/card": (9, 10)}, B, "9 of its last 10 succeeded, the best of 2"),
        ({f"{A}/card": (9, 10), f"{B}/card": (9, 10)}, A, "9 of its last 10 succeeded, the best of 2"),
        ({f"{A}/card": (9, 10), f"{B}/card": (0, 4)}, B, "0 of its last 4 succeeded, the best of 2"),
        ({f"{A}/card": (9, 10), f"{B}/bank_redirect": (10, 10)}, B, "0 of its last 0 succeeded, the best of 2"),
    ],
)
def test_the_channel_that_succeeded_most_often_is_chosen_and_who_is_not_known_is_tried(
    results: dict[str, tuple[int, int]], best: str, because: str
) -> None:
    found = chosen(by_default(SuccessRate((A, B), explore_percent=0)), statistics=results)
    assert (found.channel, found.because) == (best, f"the default: {because}")


def test_a_part_of_the_payments_explores() -> None:
    document = by_default(SuccessRate((A, B), explore_percent=20))
    known = {f"{A}/card": (10, 10), f"{B}/card": (1, 10)}
    found = [chosen(document, msgspec.structs.replace(FACTS, seed=f"pay_{i}"), statistics=known) for i in range(1_000)]
    explored = [one for one in found if "explored" in one.because]
    assert 150 <= len(explored) <= 250
    assert {one.channel for one in found if "explored" not in one.because} == {A}
    assert 0.35 <= sum(one.channel == B for one in explored) / len(explored) <= 0.65


@pytest.mark.parametrize("percent", [0, 10, 50, 70, 100])
def test_a_split_is_kept_within_five_points(percent: int) -> None:
    document = by_default(Split((Share(A, percent), Share(B, 100 - percent))))
    found = [chosen(document, msgspec.structs.replace(FACTS, seed=f"pay_{i}")).channel for i in range(1_000)]
    assert abs(found.count(A) - 10 * percent) <= (50 if 0 < percent < 100 else 0)


RULES = RoutingRules(
    rules=(
        Rule("large", "amount > 6000", Priority((B,))),
        Rule("usd", "currency == 'USD'", Priority((A, B))),
        Rule("gold", "metadata.tier == 'gold' && customer_present", Priority((C, A))),
        Rule("absent", "!customer_present && country in ['DE', 'AT']", LeastCost((A, B))),
    ),
    default=Priority((B, A)),
)


@pytest.mark.parametrize(
    ("changes", "rule", "candidates"),
    [
        ({"amount": 6_001}, "large", (B, A)),
        ({"amount": 6_000, "currency": "USD"}, "usd", (A, B)),
        ({}, "gold", (C, A, B)),
        ({"metadata": {}}, None, (B, A)),
        ({"metadata": {}, "customer_present": False}, None, (B, A)),
        ({"metadata": {}, "customer_present": False, "country": "AT"}, "absent", (A, B)),
    ],
)
def test_the_first_rule_that_holds_decides_and_the_default_stands_behind_it(
    changes: dict[str, object], rule: str | None, candidates: tuple[str, ...]
) -> None:
    found = chosen(RULES, msgspec.structs.replace(FACTS, **changes))
    assert (found.rule, found.candidates) == (rule, candidates)


# --- circuits -------------------------------------------------------------------------------------------------------


def test_an_open_circuit_takes_nothing_and_a_half_open_one_its_probes() -> None:
    open_ = Circuit(A, "card", "open", because="10 of the last 20 answers were failures")
    found = route(FACTS, circuits={A: open_}, channels=CHANNELS)
    assert found.channel == B
    assert found.considered[A] == "its circuit is open: 10 of the last 20 answers were failures"
    half = Circuit(A, "card", "half_open", probes=3, probe_percent=20, position=7)
    seeds = [msgspec.structs.replace(FACTS, seed=f"pay_{i}") for i in range(1_000)]
    probes = [facts.seed for facts in seeds if route(facts, circuits={A: half}, channels=CHANNELS).channel == A]
    assert 150 <= len(probes) <= 250
    again = [facts.seed for facts in seeds if route(facts, circuits={A: half}, channels=CHANNELS).channel == A]
    assert probes == again


def test_who_comes_next_was_not_tried_and_has_no_rest() -> None:
    open_ = {B: Circuit(B, "card", "open", because="by hand")}
    assert fail_over((A, B, C), [A], FACTS, {}) == (B, {A: "was tried"})
    assert fail_over((A, B, C), [A], FACTS, open_)[0] == C
    assert fail_over((A, B), [A], FACTS, open_) == (None, {A: "was tried", B: "its circuit is open: by hand"})


# --- laws -----------------------------------------------------------------------------------------------------------

SELECTIONS: st.SearchStrategy[Selection] = st.one_of(
    st.permutations([A, B, C]).map(lambda names: Priority(tuple(names))),
    st.integers(0, 100).map(lambda percent: Split((Share(A, percent), Share(B, 100 - percent)))),
    st.integers(0, 100).map(lambda percent: SuccessRate((A, B), percent)),
    st.just(LeastCost((A, B, C))),
)


@any_of(SELECTIONS, SELECTIONS, st.integers(1, 20_000), st.sampled_from(["EUR", "USD"]), st.text(max_size=8))
def test_the_same_payment_gets_the_same_answer_and_each_candidate_can_take_it(
    first: Selection, default: Selection, amount: int, currency: str, seed: str
) -> None:
    document = RoutingRules((Rule("cards", "method == 'card'", first),), default)
    facts = msgspec.structs.replace(FACTS, seed=seed, amount=amount, currency=currency)
    found = chosen(document, facts)
    assert found == chosen(document, facts)
    assert found.candidates[0] == found.channel
    assert len(set(found.candidates)) == len(found.candidates)
    able = {terms.name for terms in CHANNELS if terms.takes(amount, currency)}
    assert set(found.candidates) <= able
    assert found.considered.keys() == {A, B, C} - {found.channel}


def test_a_decision_with_a_hundred_rules_takes_less_than_a_millisecond() -> None:
    rules = tuple(
        Rule(f"rule {i}", f"method == 'card' && amount > {10_000 + i} && country == 'C{i}'", Priority((A,)))
        for i in range(100)
    )
    ready = compiled(RoutingRules(rules, Split((Share(A, 50), Share(B, 50)))))
    facts = msgspec.structs.replace(FACTS, amount=50_000)
    took_s = []
    for _ in range(50):
        begun = time.perf_counter()
        route(facts, ready, channels=CHANNELS)
        took_s.append(time.perf_counter() - begun)
    assert median(took_s) < 0.001


# --- what is wrong with rules ---------------------------------------------------------------------------------------


def refused(*conditions: str, document: RoutingRules | None = None) -> dict[str, str]:
    """What is refused, by the place of it."""
    rules = tuple(Rule(f"rule {i}", condition, Priority((A,))) for i, condition in enumerate(conditions))
    with pytest.raises(RoutingRulesInvalid) as refusal:
        checked(document or RoutingRules(rules), CHANNELS)
    return {error.pointer: error.detail for error in refusal.value.errors}


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("amount >", "Line 1, column 9: Syntax error"),
        ("amount > 'x'", "Line 1, column 8: found no matching overload for '_>_' applied to '(int, string)'"),
        ("method == 'card' &&\n  colour == 'red'", "Line 2, column 3: undeclared reference to 'colour'"),
        ("metadata.x > 3", "Line 1, column 12: found no matching overload"),
        ("amount", "Line 1, column 1: A condition is answered with true or false."),
        ("'a' in metadata.map(k, k) && 'b' in metadata.map(k, k)", "Line 1, column 1: A condition goes through one"),
        ("amount == 1" + " || amount == 1" * 100, "Line 1, column 1: A condition has at most 1000 characters."),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused_with_its_place(condition: str, what: str) -> None:
    assert refused("amount > 1", condition)["/rules/1/when"].startswith(what)


@pytest.mark.parametrize(
    ("condition", "attribute"),
    [
        ("method == 'card' && method == 'coin'", "method"),
        ("method == 'card' && method != 'card'", "method"),
        ("amount > 100 && amount < 100", "amount"),
        ("amount > 99 && amount < 101 && amount != 100", "amount"),
        ("100 > amount && 200 <= amount", "amount"),
        ("currency in ['USD', 'EUR'] && !(currency in ['USD', 'EUR', 'GBP'])", "currency"),
        ("metadata.tier == 'gold' && metadata['tier'] == 'silver'", "metadata.tier"),
        ("customer_present && !customer_present", "customer_present"),
        ("!(method == 'card' || amount > 5) && amount >= 6", "amount"),
        ("(method == 'a' || method == 'b') && method == 'c'", "method"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(condition: str, attribute: str) -> None:
    why = f"This can never hold: {attribute} would have to be two things at once."
    assert refused(condition) == {"/rules/0/when": why}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("amount > 100", "amount > 200"),
        ("amount > 100", "amount == 101 && country == 'DE'"),
        ("amount != 5", "amount > 10"),
        ("currency in ['USD', 'EUR']", "currency == 'EUR' && bin.startsWith('4')"),
        ("currency != 'USD'", "currency == 'EUR'"),
        ("method == 'card' || method == 'coin'", "method == 'coin' && amount > 1"),
        ("bin.startsWith('4')", "amount > 1 && bin.startsWith('4')"),
        ("true", "amount > 1"),
    ],
)
def test_a_rule_behind_a_broader_one_is_refused(earlier: str, later: str) -> None:
    assert refused(earlier, later) == {
        "/rules/1/when": "This never gets its turn: wherever it holds, rule 0 holds before it."
    }


@pytest.mark.parametrize(
    "conditions",
    [
        ("amount > 200", "amount > 100"),
        ("amount > 100 && country == 'DE'", "amount > 200"),
        ("bin.startsWith('4')", "bin.startsWith('5')"),
        ("metadata.tier != 'gold'", "amount > 100"),
        ("amount > 1 && amount < 3", "amount > 2"),
        ("method == 'card' || amount > 5", "currency == 'EUR'"),
        ("size(bin) == 6 && size(bin) == 8", "amount > 5"),  # Not understood, so nothing is said of it.
    ],
)
def test_rules_that_may_hold_are_taken(conditions: tuple[str, ...]) -> None:
    rules = tuple(Rule(f"rule {i}", condition, Priority((A,))) for i, condition in enumerate(conditions))
    assert checked(RoutingRules(rules), CHANNELS) == ()


def test_everything_that_is_wrong_is_named_at_once() -> None:
    document = RoutingRules(
        rules=(
            Rule("one", "amount > 1", Priority(("nobody", A, A))),
            Rule("one", "amount < 0 && amount > 0", Split((Share(A, 50), Share(B, 40)))),
        ),
        default=SuccessRate((), explore_percent=101),
        max_attempts=6,
    )
    assert refused(document=document) == {
        "/max_attempts": "This is 0 to 5.",
        "/rules/1/name": "There is a rule one already.",
        "/rules/1/when": "This can never hold: amount would have to be two things at once.",
        "/rules/0/then/channels/0": "There is no channel nobody.",
        "/rules/0/then/channels/2": f"{A} is named twice.",
        "/rules/1/then/shares": "Shares are not negative and make up 100; these make up 90.",
        "/default/channels": "A selection names at least one channel.",
        "/default/explore_percent": "This is 0 to 100.",
    }


def test_a_channel_that_cannot_carry_what_its_rule_asks_for_is_worth_a_warning() -> None:
    rules = (Rule("redirects", "method == 'bank_redirect'", Priority((A, B))),)
    (warning,) = checked(RoutingRules(rules), CHANNELS)
    assert warning == f"The rule redirects names {A}, which carries none of the methods that it asks for."


def test_the_rules_in_the_documentation_can_be_used() -> None:
    text = (Path(__file__).parents[2] / "docs" / "routing.md").read_text()
    _, _, block = text.partition("```json")
    document = msgspec.json.decode(block.partition("```")[0], type=RoutingRules)
    assert checked(document) == ()
    assert document.circuit == RoutingRules().circuit


def test_the_version_is_a_hash_of_the_whole_document() -> None:
    versions = {text_of(document)[0] for document in (RULES, RoutingRules(), by_default(Priority((A,))))}
    assert len(versions) == 3
    assert text_of(RULES) == text_of(msgspec.json.decode(text_of(RULES)[1], type=RoutingRules))
