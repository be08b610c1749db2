"""Claims: what was said to end a claim over an item's fee is taken back: it was not paid, or is not given up."""

from commands.books import Books
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.settlement_state import batch_not_paid, find_item, items_near
from commands.settlements import SettlementReceipt
from commands.system_accounts import with_accounts
from ledger.errors import ItemNotSettled
from ledger.events.settlements import ClaimClosed, ClaimReopened, LineUnsettled
from ledger.receivable_item import SETTLED


class ReopenClaim(Command, frozen=True):
    """The claim that was closed last for this item stands again."""

    item: str
    reason: str = ""


def reopen(books: Books, command: ReopenClaim, envelope: Envelope) -> Decision:
    item = find_item(books, command.item)
    standing: list[ClaimClosed] = []
    for event in books.history(item.settles_in):
        match event:
            case ClaimClosed(item=name) if name == item.id:
                standing.append(event)
            case ClaimReopened(closed=reopened) if reopened.item == item.id:
                standing.pop()
            case LineUnsettled(settled=line) if line.item == item.id:
                standing.clear()
    if item.status != SETTLED or not standing:
        raise ItemNotSettled("No claim over it was closed.", item=item.id, item_status=item.status)
    closed = standing[-1]
    if closed.batch:
        batch_not_paid(books, closed.channel, closed.currency, closed.batch)
    receipt = SettlementReceipt(
        item=item.id,
        stream=item.stream,
        status=item.status,
        batch=closed.batch,
        currency=item.currency,
        claimed=item.claimed + closed.amount,
    )
    events = [(item.settles_in, ClaimReopened(closed, command.reason))]
    return Decision(with_accounts(books, [*events]), receipt, status=200)


DECIDERS: dict[type[Command], Decider] = {
    ReopenClaim: Decider(reopen, lambda command: Needs(streams=items_near(command.item))),
}
