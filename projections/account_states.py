"""Account states: every account as the log alone makes it, event by event, from zero."""

from collections.abc import Iterable

from ledger.accounts import SYSTEM_PREFIX, Account, Status
from ledger.chart import system_account
from ledger.events.accounts import AccountClosed, AccountFrozen, AccountLimitsChanged, AccountOpened, AccountUnfrozen
from ledger.events.event import Event
from ledger.events.transfers import TransferPosted
from ledger.posting_rules.versions import OURS, PostingRules, RuleRefused


class AccountStates:
    """The accounts of a book after the events that were taken so far."""

    def __init__(self, rules: PostingRules = OURS) -> None:
        """`rules`: other ones than ours, to see what accounts would have come to. They may post to accounts of the
        chart that were never opened; such an account is as it would have been opened."""
        self.accounts: dict[str, Account] = {}
        self._rules = rules
        self._are_plain = TransferPosted not in rules.others

    def take(self, event: Event) -> Iterable[str]:
        """Apply an event, and say which accounts it changed. Raises RuleRefused for what other rules cannot post."""
        accounts = self.accounts
        match event:
            case TransferPosted() if self._are_plain:  # The commonest event by far, spared the general way.
                debited, credited = accounts[event.debit_account], accounts[event.credit_account]
                debited.posted_debits += event.amount
                credited.posted_credits += event.amount
                for account in (debited, credited):
                    if account.outside:
                        account.outside = account.breaks_limits()
                return event.debit_account, event.credit_account
            case AccountOpened():
                self._open(event)
                return (event.id,)
            case AccountLimitsChanged():
                return self._changed(event.id, min_balance=event.min_balance, max_balance=event.max_balance)
            case AccountFrozen():
                return self._changed(event.id, status=Status.FROZEN)
            case AccountUnfrozen():
                return self._changed(event.id, status=Status.OPEN)
            case AccountClosed():
                return self._changed(event.id, status=Status.CLOSED)
        movements = self._rules.movements_for(event)
        for movement in movements:
            if self._rules is not OURS:
                self._check(movement.account, movement.currency, event)
            accounts[movement.account].apply(movement)
        return [movement.account for movement in movements]

    def _open(self, event: AccountOpened) -> None:
        account = Account(
            event.id, event.kind, event.currency, event.min_balance, event.max_balance, protected=event.protected
        )
        if (early := self.accounts.get(event.id)) is not None:  # Other rules have posted to it before.
            account.posted_debits, account.posted_credits = early.posted_debits, early.posted_credits
        account.outside = account.breaks_limits()
        self.accounts[account.id] = account

    def _changed(self, name: str, **rules: object) -> tuple[str]:
        account = self.accounts[name]
        for rule, value in rules.items():
            setattr(account, rule, value)
        account.outside = account.breaks_limits()
        return (name,)

    def _check(self, name: str, currency: str, event: Event) -> None:
        account = self.accounts.get(name)
        if account is None:
            account = self.accounts[name] = _of_the_chart(name, currency, event)
        if account.currency != currency:
            raise RuleRefused(f"the rule for {event.topic} posts {currency} to {name}, which is in {account.currency}")


def _of_the_chart(name: str, currency: str, event: Event) -> Account:
    try:
        if name.startswith(SYSTEM_PREFIX):
            return system_account(name, currency)
    except LookupError:  # A code that the chart does not have.
        pass
    raise RuleRefused(f"the rule for {event.topic} posts to {name}, and there was no such account")
