"""Treasury: floats at channels are fed out of the client money, and what we earned is swept out of it."""

from commands.books import Books
from commands.channel_facts import check_amount
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.channels import terms_of
from commands.system_accounts import with_accounts
from ledger.accounts import Kind
from ledger.chart import bank_own, channel_prefunded
from ledger.currencies import asset_of
from ledger.errors import ChannelNotFound, SweepExceedsEarned
from ledger.events.treasury import FeesSwept, FloatFed


class FeedFloat(Command, frozen=True):
    """`amount` minor units went from our client money to a prefunded channel; `id` is fresh."""

    id: str
    channel: str
    amount: int
    currency: str
    bank_account: str
    reference: str | None = None


class SweepFees(Command, frozen=True):
    """Move `amount` minor units of what we earned to our own account at the bank.

    `earned_on`: every account of revenue and of expense in the currency, whose balances are read when it is decided.
    `id` is fresh.
    """

    id: str
    amount: int
    currency: str
    bank_account: str
    earned_on: tuple[str, ...]
    reference: str | None = None


class FloatReceipt(Receipt):
    """What was fed, and how much the channel holds of ours after it, in minor units."""

    id: str = ""
    channel: str = ""
    amount: int = 0
    currency: str = ""
    balance: int = 0


class SweepReceipt(Receipt):
    """What was swept, and how much may still be, in minor units."""

    id: str = ""
    amount: int = 0
    currency: str = ""
    left: int = 0


def feed(books: Books, command: FeedFloat, envelope: Envelope) -> Decision:
    asset_of(command.currency)
    check_amount(command.amount)
    terms = terms_of(command.channel)
    if terms is None or not terms.prefunded:
        raise ChannelNotFound("There is no such channel that holds a float of ours.", channel=command.channel)
    fed = FloatFed(
        command.id, command.channel, command.amount, command.currency, command.bank_account, command.reference
    )
    held = books.find_account(channel_prefunded(command.channel, command.currency))
    receipt = FloatReceipt(
        id=command.id,
        channel=command.channel,
        amount=command.amount,
        currency=command.currency,
        balance=(0 if held is None else held.balance) + command.amount,
    )
    return Decision(with_accounts(books, [(command.id, fed)]), receipt)


def sweep(books: Books, command: SweepFees, envelope: Envelope) -> Decision:
    asset_of(command.currency)
    check_amount(command.amount)
    left = _earned(books, command) - command.amount
    if left < 0:
        words = "No more is swept than what was earned, less expenses and what was swept before."
        raise SweepExceedsEarned(words, pointer="/amount", amount=command.amount, earned=left + command.amount)
    swept = FeesSwept(command.id, command.amount, command.currency, command.bank_account, command.reference)
    receipt = SweepReceipt(id=command.id, amount=command.amount, currency=command.currency, left=left)
    return Decision(with_accounts(books, [(command.id, swept)]), receipt)


def _earned(books: Books, command: SweepFees) -> int:
    """Revenue less expenses, all of which came out of the client money, less what was swept already."""
    earned = 0
    for name in command.earned_on:
        account = books.account(name)
        if account.currency != command.currency or account.kind not in (Kind.REVENUE, Kind.EXPENSE):
            raise AssertionError(f"nothing is earned on {name} in {command.currency}")
        earned += account.balance if account.kind == Kind.REVENUE else -account.balance
    swept = books.find_account(bank_own(command.bank_account, command.currency))
    return earned - (0 if swept is None else swept.balance)


def _feed_needs(command: FeedFloat) -> Needs:
    return Needs(accounts=(channel_prefunded(command.channel, command.currency),), streams=(command.id,))


def _sweep_needs(command: SweepFees) -> Needs:
    return Needs(accounts=(bank_own(command.bank_account, command.currency), *command.earned_on), streams=(command.id,))


DECIDERS: dict[type[Command], Decider] = {
    FeedFloat: Decider(feed, _feed_needs),
    SweepFees: Decider(sweep, _sweep_needs),
}
