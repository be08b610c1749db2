"""Risk lists: which values (cards, customers, addresses, …) are allowed, blocked or reviewed, until when, and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.risk import Lists
from ledger.errors import ExpiryInPast, FieldInvalid, RiskListEntryNotFound
from ledger.events.event import Event
from ledger.events.payments import Method
from ledger.events.risk import RiskListed, RiskUnlisted, list_stream
from ledger.risk_keys import COUNTRY, LISTED_KINDS, countries_of, keys_of, normal_value

ListName = Literal["allow", "block", "review"]
LIST_NAMES: tuple[ListName, ...] = get_args(ListName)


class PutOnRiskList(Command, frozen=True):
    """Put a value on a list; one that stands there already gets this reason and this expiry."""

    list: ListName
    type: str
    value: str
    reason: str
    expires_at: datetime | None = None


class TakeOffRiskList(Command, frozen=True):
    """Take a value off a list."""

    list: str
    type: str
    value: str


class RiskListReceipt(Receipt):
    """A value on a list, and who put it there."""

    list: str = ""
    type: str = ""
    value: str = ""
    reason: str = ""
    author: str = ""
    added_at: datetime | None = None
    expires_at: datetime | None = None


def listed_values(customer: str | None, method: Method, client: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """What of a payment may stand on a list, as (type, value)."""
    countries = ((COUNTRY, country) for country in countries_of(method, client))
    return (*keys_of(customer, method, client).items(), *countries)


def list_streams(customer: str | None, method: Method, client: dict[str, str]) -> tuple[str, ...]:
    """The streams that say on which lists the payment's values stand."""
    return tuple(list_stream(kind, value) for kind, value in listed_values(customer, method, client))


def lists_of(books: Books, values: tuple[tuple[str, str], ...]) -> Lists:
    """On which lists these values stand now."""
    return lists_in({value: books.history(list_stream(*value)) for value in values}, books.now)


def lists_in(histories: Mapping[tuple[str, str], list[Event]], now: datetime) -> Lists:
    """On which lists values stand, by the history of each (type, value)."""
    found: dict[str, list[str]] = {name: [] for name in LIST_NAMES}
    for (kind, value), history in histories.items():
        for name in _standing(history, now):
            found[name].append(f"{kind} {value}")
    return Lists(**{name: tuple(hits) for name, hits in found.items()})


def _standing(history: list[Event], now: datetime | None) -> dict[str, RiskListed]:
    """By list, what stands on it; with `now`, only what has not expired."""
    standing: dict[str, RiskListed] = {}
    for event in history:
        match event:
            case RiskListed():
                standing[event.list] = event
            case RiskUnlisted():
                standing.pop(event.list, None)
    if now is None:
        return standing
    return {name: listed for name, listed in standing.items() if listed.expires_at is None or listed.expires_at > now}


def _normal(kind: str, value: str) -> str:
    if kind not in LISTED_KINDS:
        raise FieldInvalid(f"A list holds values of the types {', '.join(LISTED_KINDS)}.", pointer="/type")
    normal = normal_value(kind, value)
    if normal is None:
        raise FieldInvalid(f"This is no value of the type {kind}.", pointer="/value")
    return normal


def put_on(books: Books, command: PutOnRiskList, envelope: Envelope) -> Decision:
    value = _normal(command.type, command.value)
    if command.expires_at is not None and command.expires_at <= books.now:
        raise ExpiryInPast(pointer="/expires_at")
    listed = RiskListed(command.list, command.type, value, command.reason, command.expires_at)
    return Decision([(list_stream(command.type, value), listed)], _receipt(books, listed, envelope.actor))


def take_off(books: Books, command: TakeOffRiskList, envelope: Envelope) -> Decision:
    value = _normal(command.type, command.value)
    stream = list_stream(command.type, value)
    listed = _standing(books.history(stream), None).get(command.list)
    if listed is None:
        raise RiskListEntryNotFound(list=command.list, type=command.type, value=value)
    unlisted = RiskUnlisted(command.list, command.type, value)
    return Decision([(stream, unlisted)], _receipt(books, listed, envelope.actor), status=200)


def _receipt(books: Books, listed: RiskListed, actor: str) -> RiskListReceipt:
    return RiskListReceipt(
        list=listed.list,
        type=listed.type,
        value=listed.value,
        reason=listed.reason,
        author=actor,
        added_at=books.now,
        expires_at=listed.expires_at,
    )


def _needs(command: PutOnRiskList | TakeOffRiskList) -> Needs:
    normal = normal_value(command.type, command.value)
    return Needs(streams=() if normal is None else (list_stream(command.type, normal),))


DECIDERS: dict[type[Command], Decider] = {
    PutOnRiskList: Decider(put_on, _needs),
    TakeOffRiskList: Decider(take_off, _needs),
}
