"""Log key changes: a key that signs checkpoints is announced in the log before it signs, and taken back there."""

from datetime import datetime, timedelta

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.audit.signed_note import NoteInvalid, VerifierKey, read_note, verify_note
from ledger.errors import FieldInvalid, LogKeyNotAnnounced, LogKeyTooYoung
from ledger.events.log_keys import LOG_KEYS_STREAM, LogKeyAdded, LogKeyRetired

BOTH_SIGN_FOR = timedelta(days=30)
"""So long two keys sign side by side, for those who look seldom."""


class AnnounceLogKey(Command, frozen=True):
    """Let a key sign; `note` is `announcement(key)`, signed by the new key and all that sign already."""

    key: str
    note: str


class RetireLogKey(Command, frozen=True):
    """Let a key sign no more; there is another one that has been announced for `both_sign_for`."""

    key: str
    both_sign_for: timedelta = BOTH_SIGN_FOR


class LogKeyReceipt(Receipt):
    """The key."""

    key: str = ""


def announcement(key: str) -> str:
    """The words under which a new key and the old ones put their signatures."""
    return f"this key signs checkpoints from now on\n{key}\n"


def announce(books: Books, command: AnnounceLogKey, envelope: Envelope) -> Decision:
    try:
        key, note = VerifierKey.parse(command.key), read_note(command.note.encode())
        verify_note(note, [key])
    except NoteInvalid as invalid:
        raise FieldInvalid(str(invalid), pointer="/note") from None
    if note.text != announcement(command.key):
        raise FieldInvalid("The note announces another key.", pointer="/note")
    events = [] if command.key in _announced(books) else [LogKeyAdded(command.key, command.note)]
    return Decision([(LOG_KEYS_STREAM, event) for event in events], LogKeyReceipt(key=command.key))


def retire(books: Books, command: RetireLogKey, envelope: Envelope) -> Decision:
    announced = _announced(books)
    others = [books.now - at for key, at in announced.items() if key != command.key]
    if not others:
        raise LogKeyNotAnnounced
    if max(others) < command.both_sign_for:
        raise LogKeyTooYoung(f"Two keys sign side by side for {command.both_sign_for.days} days.")
    event = LogKeyRetired(command.key)
    return Decision([(LOG_KEYS_STREAM, event)], LogKeyReceipt(key=command.key))


def _announced(books: Books) -> dict[str, datetime]:
    """Since when each key signs that was announced."""
    found: dict[str, datetime] = {}
    for recorded in books.recorded(LOG_KEYS_STREAM):
        match recorded.event:
            case LogKeyAdded(key=key):
                found[key] = recorded.recorded_at
            case LogKeyRetired(key=key):
                found.pop(key, None)
    return found


def _needs(command: AnnounceLogKey | RetireLogKey) -> Needs:
    return Needs(streams=(LOG_KEYS_STREAM,))


DECIDERS: dict[type[Command], Decider] = {
    AnnounceLogKey: Decider(announce, _needs),
    RetireLogKey: Decider(retire, _needs),
}
