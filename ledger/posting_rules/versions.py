"""Versions of the posting rules: ours, and ours with others in place of some, to see what those would have posted."""

from ledger.accounts import Movement
from ledger.errors import Refusal
from ledger.events.event import Event
from ledger.events.holds import HoldCaptured, HoldExpired, HoldPlaced, HoldReleased
from ledger.journal import JournalEntry
from ledger.posting_rules import entry_for, holds, movements_for
from ledger.posting_rules.transfers import Rules


class RuleRefused(Exception):
    """What a rule of another version makes of an event is no journal entry; the message says what it is instead."""


class PostingRules:
    """What each event posts: by our rules, except where another one is given for its class."""

    def __init__(self, others: Rules | None = None) -> None:
        self.others: Rules = {} if others is None else others

    def entry_for(self, event: Event) -> JournalEntry | None:
        """The journal entry of an event, None where it moves nothing; raises RuleRefused."""
        kind = type(event)
        return self._asked(event) if kind in self.others else entry_for(event)

    def movements_for(self, event: Event) -> list[Movement]:
        """What the event does to each account: posted and pending; raises RuleRefused."""
        if type(event) not in self.others:
            return movements_for(event)
        entry = self.entry_for(event)
        posted = [] if entry is None else entry.movements()
        if not isinstance(event, HoldPlaced | HoldCaptured | HoldReleased | HoldExpired):
            return posted
        # What is set aside is what it was; a rule is about what is posted.
        pending = [
            Movement(one.account, one.currency, 0, 0, one.pending_debit, one.pending_credit)
            for one in holds.movements_for(event)
        ]
        return posted + pending

    def _asked(self, event: Event) -> JournalEntry | None:
        try:
            entry = self.others[type(event)](event)
            # Made once more, so that nothing that does not balance comes in by another door than the front one.
            return None if entry is None else JournalEntry(tuple(entry.postings))
        except Refusal as refusal:
            raise RuleRefused(f"the rule for {event.topic}: {refusal.detail}") from refusal
        except Exception as error:  # It is somebody else's code.
            raise RuleRefused(f"the rule for {event.topic}: {error!r}") from error


OURS = PostingRules()
