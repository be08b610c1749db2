"""Routing rules: which rules are asked from now on. Each version stays in the log and can be read for ever.

ActivateRoutingRules ──▶ active ──DeactivateRoutingRules──▶ none: the channels in the order in which they are listed
"""

from datetime import datetime
from typing import Any

import msgspec

from commands.books import Books
from commands.channel_choice import active_rules
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.routing_rules import RoutingRules, checked, document_of, rules_of, text_of
from ledger.errors import RoutingRulesNotActive, RoutingRulesNotFound
from ledger.events.event import Recorded
from ledger.events.routing import RULES_STREAM, RoutingRulesActivated, RoutingRulesDeactivated


class ActivateRoutingRules(Command, frozen=True):
    """Ask these rules from now on."""

    document: RoutingRules


class DeactivateRoutingRules(Command, frozen=True):
    """Ask no rules from now on."""

    reason: str


class RulesVersion(Receipt):
    """One version of the routing rules. `active`: they are asked now; `warnings`: what somebody should know of them.

    `rules` are those of `document`, which holds the default selection and the other terms as well.
    `versions`: all that there ever were, oldest first.
    """

    version: str = ""
    active: bool = False
    document: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()
    activated_at: datetime | None = None
    versions: tuple[str, ...] = ()
    rules: tuple[dict[str, Any], ...] = ()


def activate(books: Books, command: ActivateRoutingRules, envelope: Envelope) -> Decision:
    warnings = checked(command.document)
    version, text = text_of(command.document)
    history = books.recorded(RULES_STREAM)
    versions = versions_in(history)
    known = (*versions, *(() if version in versions else (version,)))
    document = msgspec.to_builtins(command.document)
    receipt = RulesVersion(
        version=version,
        active=True,
        document=document,
        rules=tuple(document["rules"]),
        warnings=warnings,
        activated_at=books.now,
        versions=known,
    )
    if active_rules(books).version == version:
        receipt.position, receipt.activated_at = history[-1].position, history[-1].recorded_at
        return Decision([], receipt, status=200)
    rules_of(version, text)  # Compiled before anybody depends on it.
    return Decision([(RULES_STREAM, RoutingRulesActivated(version, text))], receipt, status=200)


def deactivate(books: Books, command: DeactivateRoutingRules, envelope: Envelope) -> Decision:
    history = books.recorded(RULES_STREAM)
    rules = active_rules(books)
    if not rules.version:
        raise RoutingRulesNotActive
    receipt = RulesVersion(versions=versions_in(history))
    return Decision([(RULES_STREAM, RoutingRulesDeactivated(rules.version, command.reason))], receipt, status=200)


def versions_in(history: list[Recorded]) -> tuple[str, ...]:
    """All versions that were ever activated, oldest first."""
    events = (recorded.event for recorded in history)
    return tuple(dict.fromkeys(event.version for event in events if isinstance(event, RoutingRulesActivated)))


def version_in(history: list[Recorded], version: str | None) -> RulesVersion:
    """A version as its stream tells of it, or what is asked now; raises RoutingRulesNotFound."""
    versions = versions_in(history)
    last = history[-1] if history else None
    if version is None:
        if last is None or not isinstance(last.event, RoutingRulesActivated):
            return RulesVersion(0 if last is None else last.position, versions=versions)
        version = last.event.version
    for recorded in reversed(history):
        event = recorded.event
        if isinstance(event, RoutingRulesActivated) and event.version == version:
            document = document_of(event.text)
            active = recorded is last
            whole = msgspec.to_builtins(document)
            rules = tuple(whole["rules"])
            return RulesVersion(recorded.position, version, active, whole, (), recorded.recorded_at, versions, rules)
    raise RoutingRulesNotFound(version=version)


def _needs(command: ActivateRoutingRules | DeactivateRoutingRules) -> Needs:
    return Needs(streams=(RULES_STREAM,))


DECIDERS: dict[type[Command], Decider] = {
    ActivateRoutingRules: Decider(activate, _needs),
    DeactivateRoutingRules: Decider(deactivate, _needs),
}
