"""Routing rules: the document by which channels are chosen, what is wrong with one, and one made ready to be asked.

    {"rules": [{"name": "large", "when": "amount > 6000 && method == 'card'", "then": {"type": "priority", …}}, …],
     "default": {"type": "split", "shares": [{"channel": "card_simulator", "percent": 70}, …]},
     "max_attempts": 2, "circuit": {…}}

Rules are asked in order and the first that holds decides; where none does, `default` does; without one the channels
are tried in the order in which they are listed. What a selection names comes first, the default's channels behind it.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from commands.policies.channels import CHANNELS, PAYOUT_METHODS, ChannelTerms
from commands.policies.routing_language import Condition, Demands, Misunderstood, compiled, demands
from ledger.errors import FieldError, RoutingRulesInvalid

MOST_RULES = 500
_PERCENT = 100


class Priority(msgspec.Struct, frozen=True, tag_field="type", tag="priority", forbid_unknown_fields=True):
    """The first of these that can take it; the next ones when it fails."""

    channels: tuple[str, ...]


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many of a hundred payments."""

    channel: str
    percent: int


class Split(msgspec.Struct, frozen=True, tag_field="type", tag="split", forbid_unknown_fields=True):
    """Shares of a hundred; which payment goes where is decided by its id."""

    shares: tuple[Share, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(share.channel for share in self.shares)


class SuccessRate(msgspec.Struct, frozen=True, tag_field="type", tag="success_rate", forbid_unknown_fields=True):
    """The one of these whose attempts succeeded most often lately.

    Of a hundred payments `explore_percent` go to one of them by chance (decided by the id), so that all are known. A
    channel with fewer results than `least_results` counts as one without a failure.
    """

    channels: tuple[str, ...]
    explore_percent: int = 20
    least_results: int = 5


class LeastCost(msgspec.Struct, frozen=True, tag_field="type", tag="least_cost", forbid_unknown_fields=True):
    """The one of these that keeps least of this amount."""

    channels: tuple[str, ...]


Selection = Priority | Split | SuccessRate | LeastCost


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is chosen where the condition holds."""

    name: str
    when: str
    then: Selection


class CircuitTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a channel is given a rest: after `failures` technical failures among its last `of` answers.

    An answer that takes longer than `slow_s` counts as one. After `open_s` seconds, `probe_percent` of a hundred
    payments try it again, and once `probes` of them went well it is closed.
    """

    failures: int = 10
    of: int = 20
    slow_s: int = 20
    open_s: int = 30
    probes: int = 3
    probe_percent: int = 20


class RoutingRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole document. `max_attempts`: at how many channels one payment is tried; 0 and 1: never at a second one.

    `retry_minutes`: for so long after its beginning a failed payment may be tried again on demand; 0: never.
    """

    rules: tuple[Rule, ...] = ()
    default: Selection | None = None
    max_attempts: int = 2
    retry_minutes: int = 60
    circuit: CircuitTerms = CircuitTerms()


class CompiledRules(msgspec.Struct, frozen=True):
    """Rules that can be asked; `version` is empty for those that hold where nobody gave any."""

    version: str
    document: RoutingRules
    conditions: tuple[Condition, ...] = ()

    @property
    def by_success(self) -> bool:
        """Whether any of them asks how well channels have done."""
        selections = (*(rule.then for rule in self.document.rules), self.document.default)
        return any(isinstance(selection, SuccessRate) for selection in selections)


NO_RULES = CompiledRules("", RoutingRules())

_encode = msgspec.json.Encoder(order="deterministic").encode
_documents = msgspec.json.Decoder(RoutingRules)
_MOST_REMEMBERED = 64
_remembered: dict[str, CompiledRules] = {}


def text_of(document: RoutingRules) -> tuple[str, str]:
    """The version of a document, which is its hash, and its text."""
    text = _encode(document)
    return hashlib.sha256(text).hexdigest()[:16], text.decode()


def document_of(text: str) -> RoutingRules:
    return _documents.decode(text)


def rules_of(version: str, text: str) -> CompiledRules:
    """The rules of a version, compiled once: the version is their hash."""
    known = _remembered.get(version)
    if known is None:
        document = document_of(text)
        known = CompiledRules(version, document, tuple(compiled(rule.when) for rule in document.rules))
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        _remembered[version] = known
    return known


# --- what is wrong with a document -----------------------------------------------------------------------------------


def checked(document: RoutingRules, channels: tuple[ChannelTerms, ...] = CHANNELS) -> tuple[str, ...]:
    """What somebody should know of rules that are in order; raises RoutingRulesInvalid with all that is wrong."""
    wrong = [*_bounds(document), *_conditions(document)]
    selections = [(f"/rules/{i}/then", rule.then) for i, rule in enumerate(document.rules)]
    if document.default is not None:
        selections.append(("/default", document.default))
    for pointer, selection in selections:
        wrong += _selection(pointer, selection, {terms.name for terms in channels})
    if wrong:
        raise RoutingRulesInvalid(errors=tuple(wrong))
    return tuple(_warnings(document, channels))


def _wrong(pointer: str, what: str) -> FieldError:
    return FieldError(pointer, RoutingRulesInvalid.code(), what)


def _bounds(document: RoutingRules) -> Iterable[FieldError]:
    circuit = document.circuit
    for pointer, value, least, most in (
        ("/max_attempts", document.max_attempts, 0, 5),
        ("/retry_minutes", document.retry_minutes, 0, 43_200),
        ("/circuit/failures", circuit.failures, 1, 100),
        ("/circuit/of", circuit.of, circuit.failures, 100),
        ("/circuit/slow_s", circuit.slow_s, 1, 3_600),
        ("/circuit/open_s", circuit.open_s, 1, 86_400),
        ("/circuit/probes", circuit.probes, 1, 100),
        ("/circuit/probe_percent", circuit.probe_percent, 1, _PERCENT),
    ):
        if not least <= value <= most:
            yield _wrong(pointer, f"This is {least} to {most}.")
    if len(document.rules) > MOST_RULES:
        yield _wrong("/rules", f"There are at most {MOST_RULES} rules.")
    names = [rule.name for rule in document.rules]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield _wrong(f"/rules/{i}/name", f"There is a rule {name} already.")


def _selection(pointer: str, selection: Selection, known: set[str]) -> Iterable[FieldError]:
    part = "shares" if isinstance(selection, Split) else "channels"
    if not selection.channels:
        yield _wrong(f"{pointer}/{part}", "A selection names at least one channel.")
    for i, channel in enumerate(selection.channels):
        place = f"{pointer}/{part}/{i}" + ("/channel" if isinstance(selection, Split) else "")
        if channel not in known:
            yield _wrong(place, f"There is no channel {channel}.")
        elif channel in selection.channels[:i]:
            yield _wrong(place, f"{channel} is named twice.")
    if isinstance(selection, Split):
        shares = [share.percent for share in selection.shares]
        if sum(shares) != _PERCENT or min(shares, default=0) < 0:
            yield _wrong(f"{pointer}/shares", f"Shares are not negative and make up 100; these make up {sum(shares)}.")
    if isinstance(selection, SuccessRate):
        if not 0 <= selection.explore_percent <= _PERCENT:
            yield _wrong(f"{pointer}/explore_percent", "This is 0 to 100.")
        if not 0 <= selection.least_results <= _PERCENT:
            yield _wrong(f"{pointer}/least_results", "This is 0 to 100.")


def _conditions(document: RoutingRules) -> Iterable[FieldError]:
    """What cannot be read, what can never hold, and what never gets its turn."""
    earlier: list[tuple[str, list[Demands]]] = []
    for i, rule in enumerate(document.rules):
        pointer = f"/rules/{i}/when"
        try:
            alternatives = demands(compiled(rule.when))
        except Misunderstood as error:
            yield _wrong(pointer, f"Line {error.line}, column {error.column}: {error.what}")
            continue
        possible = [one for one in alternatives if one.contradicted is None]
        if not possible:
            contradicted = alternatives[0].contradicted
            why = "it is false" if contradicted == "false" else f"{contradicted} would have to be two things at once"
            yield _wrong(pointer, f"This can never hold: {why}.")
            continue
        for name, broader in earlier:
            if all(any(one.implies(other) for other in broader) for one in possible):
                yield _wrong(pointer, f"This never gets its turn: wherever it holds, {name} holds before it.")
                break
        earlier.append((rule.name, possible))


def _warnings(document: RoutingRules, channels: tuple[ChannelTerms, ...]) -> Iterable[str]:
    """Channels that a rule names and that cannot carry the methods that it asks for."""
    carried = {
        terms.name: frozenset((*terms.methods, *(PAYOUT_METHODS if terms.payouts else ()))) for terms in channels
    }
    for rule in document.rules:
        possible = [one for one in demands(compiled(rule.when)) if one.contradicted is None]
        asked = [one.domains["method"].values if "method" in one.domains else None for one in possible]
        for channel in rule.then.channels:
            if all(methods is not None and not methods & carried[channel] for methods in asked):
                yield f"The rule {rule.name} names {channel}, which carries none of the methods that it asks for."
