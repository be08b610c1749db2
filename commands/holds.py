"""Holds: captured in parts, released, expired.

PlaceHold ──▶ active ──CaptureHold──▶ active (rest held) … ──▶ captured
                 ├──ReleaseHold──▶ released
                 └──ExpireHold───▶ expired
"""

from datetime import datetime

import msgspec

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.errors import CaptureExceedsHold, HoldNotActive, HoldNotFound
from ledger.events.event import Event, entry_id_of
from ledger.events.holds import HoldCaptured, HoldExpired, HoldPlaced, HoldReleased


class CaptureHold(Command, frozen=True):
    """Post `amount` minor units of the hold, all that is left if None; a final capture lets go of the rest."""

    id: str
    amount: int | None = None
    final: bool = False


class ReleaseHold(Command, frozen=True):
    """Let go of what is still held."""

    id: str
    reason: str | None = None


class ExpireHold(Command, frozen=True):
    """Let go of what is still held, because its time has run out."""

    id: str


class HoldReceipt(Receipt):
    """The hold as it is after the command; `entry_id` names the entry that a capture posted."""

    id: str = ""
    hold_id: str = ""
    status: str = ""
    amount: int = 0
    captured: int = 0
    remaining: int = 0
    currency: str = ""
    debit_account: str = ""
    credit_account: str = ""
    expires_at: datetime | None = None
    entry_id: str | None = None
    captured_now: int | None = None


class Hold(msgspec.Struct, frozen=True):
    """What a decision must remember of a hold; `events` is the version of its stream."""

    placed: HoldPlaced
    captured: int = 0
    remaining: int = 0
    status: str = "active"
    events: int = 1


def evolve(hold: Hold | None, event: Event) -> Hold:
    """The hold after the event."""
    match hold, event:
        case None, HoldPlaced():
            return Hold(event, remaining=event.amount)
        case Hold(), HoldCaptured(amount=amount, released=released):
            left = hold.remaining - amount - released
            return msgspec.structs.replace(
                hold,
                captured=hold.captured + amount,
                remaining=left,
                status="captured" if left == 0 else "active",
                events=hold.events + 1,
            )
        case Hold(), HoldReleased():
            return msgspec.structs.replace(hold, remaining=0, status="released", events=hold.events + 1)
        case Hold(), HoldExpired():
            return msgspec.structs.replace(hold, remaining=0, status="expired", events=hold.events + 1)
    raise AssertionError(f"{event} cannot follow {hold}")


def fold(history: list[Event]) -> Hold | None:
    """The hold after all of its history; None for no history."""
    hold: Hold | None = None
    for event in history:
        hold = evolve(hold, event)
    return hold


def _active(books: Books, name: str) -> Hold:
    hold = fold(books.history(name)) if name.startswith("hold_") else None
    if hold is None:
        raise HoldNotFound(hold=name)
    if hold.status != "active":
        raise HoldNotActive(f"The hold is {hold.status}.", hold=name, hold_status=hold.status)
    return hold


def _past_its_time(hold: Hold, now: datetime) -> bool:
    return hold.placed.expires_at is not None and hold.placed.expires_at <= now


def capture(books: Books, command: CaptureHold, envelope: Envelope) -> Decision:
    hold = _active(books, command.id)
    if _past_its_time(hold, books.now):
        # The timer has not come by yet; the clock has the last word, not the timer.
        raise HoldNotActive("The hold has expired.", hold=command.id, hold_status="expired")
    amount = hold.remaining if command.amount is None else command.amount
    if amount > hold.remaining:
        raise CaptureExceedsHold(pointer="/amount", hold=command.id, amount=amount, remaining=hold.remaining)
    released = hold.remaining - amount if command.final else 0
    placed = hold.placed
    captured = HoldCaptured(
        placed.debit_account,
        placed.credit_account,
        amount,
        placed.currency,
        command.final or amount == hold.remaining,
        released,
        placed.description,
    )
    receipt = _receipt(command.id, evolve(hold, captured))
    receipt.entry_id = entry_id_of(command.id, hold.events + 1)
    receipt.captured_now = amount
    return Decision([(command.id, captured)], receipt)


def release(books: Books, command: ReleaseHold, envelope: Envelope) -> Decision:
    hold = _active(books, command.id)
    placed = hold.placed
    released = HoldReleased(
        placed.debit_account, placed.credit_account, hold.remaining, placed.currency, command.reason
    )
    return Decision([(command.id, released)], _receipt(command.id, evolve(hold, released)), status=200)


def expire(books: Books, command: ExpireHold, envelope: Envelope) -> Decision:
    hold = _active(books, command.id)
    if not _past_its_time(hold, books.now):
        raise HoldNotActive("The hold's time has not run out.", hold=command.id, hold_status=hold.status)
    placed = hold.placed
    expired = HoldExpired(placed.debit_account, placed.credit_account, hold.remaining, placed.currency)
    return Decision([(command.id, expired)], _receipt(command.id, evolve(hold, expired)), status=200)


def _receipt(name: str, hold: Hold) -> HoldReceipt:
    placed = hold.placed
    return HoldReceipt(
        id=name,
        hold_id=name,
        status=hold.status,
        amount=placed.amount,
        captured=hold.captured,
        remaining=hold.remaining,
        currency=placed.currency,
        debit_account=placed.debit_account,
        credit_account=placed.credit_account,
        expires_at=placed.expires_at,
    )


def _needs(command: CaptureHold | ReleaseHold | ExpireHold) -> Needs:
    return Needs(streams=(command.id,))


DECIDERS: dict[type[Command], Decider] = {
    CaptureHold: Decider(capture, _needs),
    ReleaseHold: Decider(release, _needs),
    ExpireHold: Decider(expire, _needs),
}
