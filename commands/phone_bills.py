"""Phone bills: the cap of a month, kept by reading what every payment of that phone came to."""

from commands.books import Books
from commands.policies.caps import PHONE_BILL
from commands.system_accounts import StreamEvents
from ledger.errors import CapExceeded
from ledger.events.payments import Method
from ledger.events.phone_bills import PhoneBillClaimed, phone_bill_stream
from ledger.payment import CANCELED, EXPIRED, FAILED, REJECTED
from ledger.payment_state import fold

UNPAID = (FAILED, CANCELED, EXPIRED, REJECTED)


def claim(books: Books, payment: str, method: Method, amount: int, currency: str) -> StreamEvents:
    """The claim on this month's bill; raises CapExceeded. Two at once are measured one after the other."""
    phone = books.opened(method.details)["phone"]
    stream = phone_bill_stream(books.stand_in("phone", phone), books.now.strftime("%Y-%m"))
    claimed = sum(
        recorded.event.amount
        for recorded in books.recorded(stream)
        if isinstance(recorded.event, PhoneBillClaimed)
        and recorded.event.currency == currency
        and _counts(books, recorded.event.payment)
    )
    most = PHONE_BILL[currency].month
    if claimed + amount > most:
        left = max(0, most - claimed)
        detail = f"This phone's bill takes {left} minor units more this month."
        raise CapExceeded(detail, pointer="/amount", most=most, available=left, amount=amount)
    return [(stream, PhoneBillClaimed(payment, amount, currency))]


def _counts(books: Books, payment: str) -> bool:
    found = fold(books.recorded(payment))
    return found is not None and found.status not in UNPAID
