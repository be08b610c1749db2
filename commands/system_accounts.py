"""System accounts: the chart's own accounts, opened in the same decision as the first event that posts to them."""

from collections.abc import Iterable

from commands.books import Books
from ledger.accounts import SYSTEM_PREFIX
from ledger.chart import code_of, system_account
from ledger.events.accounts import AccountOpened, account_stream
from ledger.events.authorizations import AuthorizationExpired
from ledger.events.event import Event
from ledger.events.payments import (
    PaymentCanceled,
    PaymentExpired,
    PaymentFailed,
    PaymentRejected,
    PaymentWalletUnfrozen,
)
from ledger.events.voids import AuthorizationVoided
from ledger.payment_state import fold
from ledger.posting_rules import movements_for

StreamEvents = list[tuple[str, Event]]


def with_accounts(books: Books, events: StreamEvents) -> StreamEvents:
    """The events, behind the opening of each system account that they post to and that is not there yet.

    What a mixed payment set aside in a wallet is let go of with whatever ends the payment unpaid.
    """
    events = [*events, *_let_go(books, events)]
    posted = [(movement.account, movement.currency) for _, event in events for movement in movements_for(event)]
    return openings(books, posted) + events


def _let_go(books: Books, events: StreamEvents) -> StreamEvents:
    found: StreamEvents = []
    for stream, event in events:
        ended = isinstance(event, PaymentFailed | PaymentCanceled | PaymentExpired | PaymentRejected)
        if ended or (isinstance(event, AuthorizationExpired | AuthorizationVoided) and event.amount):
            payment = fold(books.recorded(stream))
            if payment is not None and payment.frozen and payment.created.customer is not None:
                unfrozen = PaymentWalletUnfrozen(payment.created.customer, payment.frozen, payment.created.currency)
                found.append((stream, unfrozen))
    return found


def openings(books: Books, accounts: Iterable[tuple[str, str]]) -> StreamEvents:
    """The opening of each of these system accounts (id, currency) that is not there yet."""
    opened: StreamEvents = []
    for name, currency in dict.fromkeys(accounts):
        if name.startswith(SYSTEM_PREFIX) and books.find_account(name) is None:
            account = system_account(name, currency)
            opened.append((account_stream(name), _opened(name, account.kind, currency, account.min_balance)))
    return opened


def _opened(name: str, kind: str, currency: str, min_balance: int | None) -> AccountOpened:
    _, _, *dimensions, _ = name.split(":")
    title = " ".join((code_of(name).title, *dimensions))
    return AccountOpened(name, title, str(kind), currency, min_balance, protected=True)
