"""Risk rules: versions of the rules that payments are judged by. Old versions stay in the log and can be read."""

import hashlib
import re
from datetime import datetime

import msgspec

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.risk import DEFAULT_RULES, HIGHEST_SCORE, VERDICTS, RuleSet
from commands.policies.risk_language import Misunderstood, compiled
from ledger.errors import FieldError, FieldInvalid, Refusal, RiskRuleInvalid
from ledger.events.event import Event
from ledger.events.risk import RULES_STREAM, RiskPolicy, RiskRule, RiskRulesChanged

MOST_RULES = 500
LONGEST_CHALLENGE_MINUTES = 60
LONGEST_REVIEW_HOURS = 24 * 30
MOST_PATIENCE_MS = 1_000
_NAME = re.compile(r"\S(.{0,98}\S)?")
_encode = msgspec.json.Encoder(order="deterministic").encode


class ChangeRiskRules(Command, frozen=True):
    """Judge payments by these rules from now on."""

    rules: tuple[RiskRule, ...]
    policy: RiskPolicy = RiskPolicy()


class RiskRulesReceipt(Receipt):
    """The rules that are asked; `version` is a hash of them, and stands in every decision."""

    version: str = ""
    rules: tuple[RiskRule, ...] = ()
    policy: RiskPolicy = RiskPolicy()
    changed_at: datetime | None = None


def rules_after(history: list[Event]) -> RuleSet:
    """The rules that this history of the stream of rules leaves."""
    changed = history[-1] if history else None
    if not isinstance(changed, RiskRulesChanged):
        return DEFAULT_RULES
    return RuleSet(changed.version, changed.rules, changed.policy)


def current_rules(books: Books) -> RuleSet:
    return rules_after(books.history(RULES_STREAM))


def version_of(rules: tuple[RiskRule, ...], policy: RiskPolicy) -> str:
    return hashlib.sha256(_encode((rules, policy))).hexdigest()[:16]


def checked(rules: tuple[RiskRule, ...], policy: RiskPolicy) -> RuleSet:
    """The rules as a set; raises RiskRuleInvalid or FieldInvalid, which names every field that is wrong."""
    found = [*_wrong_rules(rules), *_wrong_policy(policy)]
    if found:
        kind = RiskRuleInvalid if found[0].code == RiskRuleInvalid.code() else FieldInvalid
        refusal: Refusal = kind(found[0].detail, errors=tuple(found))
        raise refusal
    return RuleSet(version_of(rules, policy), rules, policy)


def _wrong_rules(rules: tuple[RiskRule, ...]) -> list[FieldError]:
    found = list[FieldError]()
    if len(rules) > MOST_RULES:
        found.append(_invalid("/rules", f"At most {MOST_RULES} rules are asked."))
    names = set[str]()
    for number, rule in enumerate(rules[:MOST_RULES]):
        at = f"/rules/{number}"
        if not _NAME.fullmatch(rule.name):
            found.append(_invalid(f"{at}/name", "A name has 1 to 100 characters on one line."))
        if rule.name in names:
            found.append(_invalid(f"{at}/name", "Two rules have this name."))
        names.add(rule.name)
        if rule.verdict not in ("", *VERDICTS):
            found.append(_invalid(f"{at}/verdict", f"A verdict is one of {', '.join(VERDICTS)}, or left out."))
        if not -HIGHEST_SCORE <= rule.points <= HIGHEST_SCORE:
            found.append(_invalid(f"{at}/points", f"Points are from -{HIGHEST_SCORE} to {HIGHEST_SCORE}."))
        if not rule.verdict and not rule.points:
            found.append(_invalid(f"{at}/verdict", "A rule has a verdict, or points, or both."))
        try:
            compiled(rule.condition)
        except Misunderstood as error:
            where = f"line {error.line}, column {error.column}"
            found.append(FieldError(f"{at}/condition", RiskRuleInvalid.code(), f"{where}: {error.what}"))
    return found


def _wrong_policy(policy: RiskPolicy) -> list[FieldError]:
    one_of = {
        "step_up": ("one_time_code", "three_ds"),
        "on_deadline": ("reject", "approve"),
        "fail_mode": ("open", "review", "closed"),
    }
    within = {
        "challenge_at": (1, HIGHEST_SCORE),
        "review_at": (1, HIGHEST_SCORE),
        "reject_at": (1, HIGHEST_SCORE),
        "challenge_minutes": (1, LONGEST_CHALLENGE_MINUTES),
        "challenge_tries": (1, 10),
        "review_hours": (0, LONGEST_REVIEW_HOURS),
        "patience_ms": (0, MOST_PATIENCE_MS),
    }
    found = list[FieldError]()
    for name, words in one_of.items():
        if getattr(policy, name) not in words:
            found.append(_invalid(f"/policy/{name}", f"It is one of {', '.join(words)}."))
    for name, (smallest, largest) in within.items():
        value = getattr(policy, name)
        if value is not None and not smallest <= value <= largest:
            found.append(_invalid(f"/policy/{name}", f"It is {smallest} to {largest}."))
    for product, mode in policy.fail_modes.items():
        if mode not in one_of["fail_mode"]:
            found.append(_invalid(f"/policy/fail_modes/{product}", "It is one of open, review, closed."))
    return found


def _invalid(pointer: str, detail: str) -> FieldError:
    return FieldError(pointer, FieldInvalid.code(), detail)


def change(books: Books, command: ChangeRiskRules, envelope: Envelope) -> Decision:
    rules = checked(command.rules, command.policy)
    receipt = RiskRulesReceipt(version=rules.version, rules=rules.rules, policy=rules.policy, changed_at=books.now)
    changed = RiskRulesChanged(rules.version, rules.rules, rules.policy)
    return Decision([(RULES_STREAM, changed)], receipt, status=200)


def _needs(command: ChangeRiskRules) -> Needs:
    return Needs(streams=(RULES_STREAM,))


DECIDERS: dict[type[Command], Decider] = {ChangeRiskRules: Decider(change, _needs)}
