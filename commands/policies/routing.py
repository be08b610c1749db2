"""Routing: which channel a charge or a payout goes to, which ones come after it, and because of what.

Pure: all comes in as values.

    terms of the channels ─▶ circuits ─▶ the first rule that holds, or the default ─▶ an order of candidates

What is left to chance is decided by the id of the payment: the same payment always gets the same answer.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from commands.policies.channels import CHANNELS as CHANNELS
from commands.policies.channels import PAYOUT_METHODS
from commands.policies.channels import ChannelTerms as ChannelTerms
from commands.policies.routing_language import activation
from commands.policies.routing_rules import (
    NO_RULES,
    CompiledRules,
    LeastCost,
    Priority,
    Selection,
    Split,
    SuccessRate,
)
from ledger.chart import AGENCY_PAY
from ledger.circuit_state import Circuit
from ledger.errors import ChannelUnavailable
from ledger.events.routing import channel_and_method
from ledger.money import share_in_basis_points

Circuits = Mapping[str, Circuit]
"""By channel, for the method in question; a channel that is missing is closed."""
Statistics = Mapping[str, tuple[int, int]]
"""By channel and method: the successes, and how many attempts were counted."""


class RoutingFacts(msgspec.Struct, frozen=True):
    """What is known of a charge or of a payout. `seed` is its id; amount in minor units.

    A payout is told by its method, which is the kind of its destination; its product says whose money it is.
    """

    seed: str
    product: str
    method: str
    amount: int
    currency: str
    merchant: str = ""
    customer: str = ""
    country: str = ""
    bin: str = ""
    capture: str = "automatic"
    customer_present: bool = True
    metadata: dict[str, str] = {}

    @property
    def is_payout(self) -> bool:
        return self.method in PAYOUT_METHODS

    def values(self) -> dict[str, object]:
        """As conditions see it."""
        values = msgspec.structs.asdict(self)
        del values["seed"]
        return values


class Route(msgspec.Struct, frozen=True):
    """The channel that was chosen, and why.

    `candidates` begin with it; the others follow in the order in which they are tried when it fails. `considered`: why
    each other channel was not chosen. `rule` is the one that held, `rules` the version that was asked.
    """

    channel: str
    because: str
    candidates: tuple[str, ...] = ()
    considered: dict[str, str] = {}
    rules: str = ""
    rule: str | None = None


def route(
    facts: RoutingFacts,
    rules: CompiledRules = NO_RULES,
    circuits: Circuits | None = None,
    statistics: Statistics | None = None,
    channels: tuple[ChannelTerms, ...] = CHANNELS,
) -> Route:
    """The channel for a charge; raises ChannelUnavailable, which says why each channel was passed by."""
    considered: dict[str, str] = {}
    able: dict[str, ChannelTerms] = {}
    for terms in channels:
        objection = _objection(facts, terms) or _rest(facts, circuits or {}, terms.name)
        if objection:
            considered[terms.name] = objection
        else:
            able[terms.name] = terms
    listed = {name: terms for name, terms in able.items() if not terms.by_rules_only}
    rule, selection = _asked(facts, rules)
    default = rules.document.default
    ordered, because = _ordered(
        facts, rule or "default", selection, listed if selection is None else able, statistics or {}
    )
    if rule is not None:
        behind = [] if default is None else _ordered(facts, "default", default, able, statistics or {})[0]
        because = f"the rule {rule}: {because}" if ordered else f"the rule {rule} names no channel that can take it"
    else:
        behind = []
        if default is not None:
            because = f"the default: {because}" if ordered else "the default names no channel that can take it"
    candidates = tuple(dict.fromkeys((*ordered, *behind, *(() if default and (ordered or behind) else listed))))
    unnamed = "neither the rules nor the list of channels name it"
    considered |= {name: unnamed for name in able if name not in candidates}
    if not candidates:
        what = "payout" if facts.is_payout else "payment"
        detail = f"No channel can take {facts.method} for this {what} at the moment."
        raise ChannelUnavailable(detail, considered={**considered})
    for place, name in enumerate(candidates[1:], 2):
        considered[name] = f"stands at place {place} of {len(candidates)}"
    return Route(candidates[0], because, candidates, considered, rules.version, rule)


def fail_over(
    candidates: Sequence[str], tried: Iterable[str], facts: RoutingFacts, circuits: Circuits
) -> tuple[str | None, dict[str, str]]:
    """The next of the candidates that was not tried and may be, and why each one before it may not."""
    tried, passed = set(tried), dict[str, str]()
    for name in candidates:
        reason = "was tried" if name in tried else _rest(facts, circuits, name)
        if not reason:
            return name, passed
        passed[name] = reason
    return None, passed


# --- who can --------------------------------------------------------------------------------------------------------


def _objection(facts: RoutingFacts, terms: ChannelTerms) -> str:
    """Why what is agreed with this channel does not cover the charge or the payout; empty: it does."""
    if facts.is_payout:
        return _objection_to_payout(facts, terms)
    if facts.method not in terms.methods:
        return f"does not carry {facts.method}"
    if not terms.takes(facts.amount, facts.currency):
        return f"does not take {facts.amount} {facts.currency}"
    if facts.capture == "manual" and not terms.manual_capture:
        return "cannot hold money before it is taken"
    return ""


def _objection_to_payout(facts: RoutingFacts, terms: ChannelTerms) -> str:
    """Agency pay is paid out of a float that is fed before; all else from our bank."""
    if not terms.payouts:
        return "pays nothing out"
    if terms.prefunded != (facts.product == AGENCY_PAY):
        return "pays out of a float" if terms.prefunded else "pays from our bank"
    too_much = terms.payout_maximum is not None and facts.amount > terms.payout_maximum
    if too_much or (terms.currencies and facts.currency not in terms.currencies):
        return f"does not pay {facts.amount} {facts.currency} out"
    return ""


def _rest(facts: RoutingFacts, circuits: Circuits, channel: str) -> str:
    """Why the channel takes no payment, or not this one, at the moment; empty: it does."""
    circuit = circuits.get(channel)
    if circuit is None or circuit.state == "closed":
        return ""
    if circuit.state == "open":
        return f"its circuit is open: {circuit.because}"
    if _chance(f"probe/{channel}/{circuit.position}", facts.seed, 100) < circuit.probe_percent:
        return ""
    return "its circuit is half open, and this payment is none of those that try it"


# --- who is chosen --------------------------------------------------------------------------------------------------


def _asked(facts: RoutingFacts, rules: CompiledRules) -> tuple[str | None, Selection | None]:
    """The first rule that holds and its selection, or the default."""
    if rules.conditions:
        values = activation(facts.values())
        for rule, condition in zip(rules.document.rules, rules.conditions, strict=True):
            if condition.holds(values):
                return rule.name, rule.then
    return None, rules.document.default


def _ordered(
    facts: RoutingFacts,
    word: str,
    selection: Selection | None,
    able: Mapping[str, ChannelTerms],
    statistics: Statistics,
) -> tuple[list[str], str]:
    """The channels of a selection that can take it, the chosen one first, and why it is the first."""
    if selection is None:
        method = facts.method
        only = len(able) == 1
        return [*able], f"the only channel for {method}" if only else f"the first of {len(able)} for {method}"
    named = [name for name in selection.channels if name in able]
    if not named:
        return [], ""
    match selection:
        case Priority():
            first = "the first of its list" if named[0] == selection.channels[0] else "the first of its list that can"
            return named, first
        case Split():
            return _by_shares(facts, word, selection, named)
        case SuccessRate():
            return _by_success(facts, word, selection, named, statistics)
        case LeastCost():
            costs = {name: _cost(facts, able[name]) for name in named}
            named.sort(key=lambda name: costs[name])
            return named, f"it keeps {costs[named[0]]}, the least of {len(named)}"


def _cost(facts: RoutingFacts, terms: ChannelTerms) -> int:
    return terms.payout_fee if facts.is_payout else share_in_basis_points(facts.amount, terms.fee_bps)


def _by_shares(facts: RoutingFacts, word: str, split: Split, named: Sequence[str]) -> tuple[list[str], str]:
    shares = {share.channel: share.percent for share in split.shares}
    chosen = _drawn(f"split/{word}", facts.seed, shares)
    if chosen not in named:
        # The share of who cannot take it is divided among the others, and theirs stay where they are.
        left = {name: shares[name] for name in named}
        chosen = _drawn(f"split again/{word}", facts.seed, left) if any(left.values()) else named[0]
    others = sorted((name for name in named if name != chosen), key=lambda name: -shares[name])
    return [chosen, *others], f"its share of {shares[chosen]} %"


def _by_success(
    facts: RoutingFacts, word: str, selection: SuccessRate, named: list[str], statistics: Statistics
) -> tuple[list[str], str]:
    def standing(name: str) -> tuple[int, int]:
        succeeded, counted = statistics.get(channel_and_method(name, facts.method), (0, 0))
        return (1, 1) if counted < max(1, selection.least_results) else (succeeded, counted)

    # In millionths, rounded down: the same on every machine.
    rates = {name: standing(name)[0] * 1_000_000 // standing(name)[1] for name in named}
    ordered = sorted(named, key=lambda name: -rates[name])
    if _chance(f"explore/{word}", facts.seed, 100) < selection.explore_percent:
        tried = named[_chance(f"explored/{word}", facts.seed, len(named))]
        ordered.sort(key=lambda name: name != tried)
        return ordered, f"explored, one of {selection.explore_percent} in a hundred"
    succeeded, counted = statistics.get(channel_and_method(ordered[0], facts.method), (0, 0))
    return ordered, f"{succeeded} of its last {counted} succeeded, the best of {len(named)}"


def _drawn(word: str, seed: str, shares: Mapping[str, int]) -> str:
    """One of these, by their shares."""
    drawn = _chance(word, seed, sum(shares.values()))
    for name, share in shares.items():
        drawn -= share
        if drawn < 0:
            return name
    raise AssertionError(f"nothing was drawn from {shares}")


def _chance(word: str, seed: str, of: int) -> int:
    """A number from 0 to `of` - 1 that only these words decide."""
    digest = hashlib.sha256(f"{word}/{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % of
