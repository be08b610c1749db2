"""Settlement state: what a decision looks at: the items of a stream, and whether a batch was paid."""

from commands.books import Books
from ledger.authorization import Capture
from ledger.errors import BatchPaidAlready, ItemSettledAlready, ReceivableItemNotFound
from ledger.events.settlements import BatchPaid, batch_stream
from ledger.payment import Payment
from ledger.receivable_item import SETTLED, Items, ReceivableItem, settling_stream, stream_of_item
from ledger.receivable_items import fold


def items_of(books: Books, stream: str) -> Items:
    """The items that a stream opened, as they stand."""
    settled_in = settling_stream(stream)
    return fold(books.recorded(stream), *([books.recorded(settled_in)] if settled_in != stream else []))


def find_item(books: Books, name: str) -> ReceivableItem:
    """The item of this id; raises ReceivableItemNotFound."""
    found = items_of(books, stream_of_item(name)).get(name)
    if found is None:
        raise ReceivableItemNotFound(item=name)
    return found


def open_item(books: Books, name: str) -> ReceivableItem:
    """The item, if it is open; raises ReceivableItemNotFound, ItemSettledAlready."""
    item = find_item(books, name)
    if not item.is_open:
        told = item.settled
        raise ItemSettledAlready(
            f"The item is {item.status}.",
            item=name,
            item_status=item.status,
            batch="" if told is None else told.batch,
            file="" if told is None else told.file,
        )
    return item


def items_near(name: str) -> tuple[str, ...]:
    """The streams in which an item and what became of it are recorded."""
    stream = stream_of_item(name)
    return tuple(dict.fromkeys((stream, settling_stream(stream))))


def batch_not_paid(books: Books, channel: str, currency: str, batch: str) -> None:
    """Raises BatchPaidAlready: after its payment a batch stands at exactly 0, and stays there."""
    last = books.latest(batch_stream(channel, currency, batch))
    if last is not None and isinstance(last.event, BatchPaid):
        raise BatchPaidAlready(channel=channel, currency=currency, batch=batch, bank_line=last.event.bank_line)


def was_reported(books: Books, payment: Payment, capture: Capture) -> bool:
    """Whether its channel's report shows it: what it has settled it neither takes back nor has never had."""
    items = items_of(books, payment.created.id).values()
    sales = [item for item in items if item.kind == "sale" and capture.id in (item.subject, *item.ours)]
    return any(item.status == SETTLED for item in sales)
