"""Both books: what the ledger and the channel each say of one day's payments, held against each other.

Ours are of one position of the log; theirs were read afterwards and may only have moved on, never back. What they have
charged is never failed with us; what we call final is so with them; the accounts are what their finished charges, less
refunds and fees, come to. `differences` names whatever is otherwise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

CHANNEL = "card_simulator"
FINAL = ("succeeded", "failed")
STATES = (*FINAL, "processing")
FEE_BPS, FEE_FIXED = 200, 10
"""What every merchant of the day pays: ten-thousandths of the amount, and minor units."""

Json = dict[str, Any]


class Order(NamedTuple):
    """A payment or top-up by card: its id, the ids of its attempts, and how it stands with us."""

    id: str
    attempts: tuple[str, ...]
    status: str
    amount: int
    currency: str


class Back(NamedTuple):
    """A refund by card."""

    id: str
    status: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class BothBooks:
    """Ours: payments and top-ups as the API shows them, each account's balance on its normal side. Theirs: the rest."""

    position: int
    payments: list[Json]
    top_ups: list[Json]
    balances: dict[str, int]
    charges: list[Json]
    refunds: list[Json]

    @property
    def open(self) -> list[str]:
        """The ids of what is still processing with us."""
        return [name for each in (*self.payments, *self.top_ups) for name in open_in(each)]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many ended how."""
        refunds = [refund for payment in self.payments for refund in payment["refunds"]]
        ours = {"payments": self.payments, "top_ups": self.top_ups, "refunds": refunds}
        return {noun: dict(sorted(Counter(each["status"] for each in found).items())) for noun, found in ours.items()}


def differences(books: BothBooks) -> list[str]:
    """Everything that the two do not agree on, in words; empty if all is well."""
    orders = [*_payments_by_card(books), *_top_ups(books)]
    backs = list(_refunds_by_card(books))
    return [
        *_unlike_charges(books, orders),
        *_unlike_refunds(books, backs),
        *_unlike_sums(books),
        *_unlike_accounts(books, orders, backs),
    ]


def open_in(view: Json) -> list[str]:
    """What is processing of a payment with its refunds, or of a top-up."""
    return [each["id"] for each in (view, *view.get("refunds", ())) if each["status"] == "processing"]


def _is_by_card(payment: Json) -> bool:
    return bool(payment["product"] == "quick_pay")


def _payments_by_card(books: BothBooks) -> Iterator[Order]:
    for payment in filter(_is_by_card, books.payments):
        attempts = tuple(attempt["id"] for attempt in payment["attempts"])
        yield Order(payment["id"], attempts, payment["status"], payment["amount"], payment["currency"])


def _top_ups(books: BothBooks) -> Iterator[Order]:
    for top_up in books.top_ups:
        yield Order(top_up["id"], (f"{top_up['id']}-1",), top_up["status"], top_up["amount"], top_up["currency"])


def _refunds_by_card(books: BothBooks) -> Iterator[Back]:
    for payment in filter(_is_by_card, books.payments):
        for refund in payment["refunds"]:
            yield Back(refund["id"], refund["status"], refund["amount"], payment["currency"])


def _agree(ours: str, theirs: list[str]) -> bool:
    """Whether our state can be told from what they have under its ids, which is one thing at most."""
    if ours == "succeeded":
        return theirs == ["succeeded"]
    if ours == "failed":  # Declined, or it never came to them.
        return theirs in ([], ["declined"])
    return ours == "processing" and len(theirs) <= 1


def _unlike_charges(books: BothBooks, orders: list[Order]) -> Iterator[str]:
    charges: dict[str, list[Json]] = defaultdict(list)
    for charge in books.charges:
        charges[charge["id"].rpartition("-")[0]].append(charge)
    for order in orders:
        found = charges.pop(order.id, [])
        theirs = [charge["status"] for charge in found]
        if not _agree(order.status, theirs):
            yield f"{order.id} is {order.status}, its charges are {theirs}"
        for charge in found:
            if charge["id"] not in order.attempts:
                yield f"{charge['id']} was charged and is no attempt of ours"
            if (charge["amount"], charge["currency"]) != (order.amount, order.currency):
                yield f"{order.id} is about {order.amount} {order.currency}, its charge about {charge}"
    yield from (f"{order} was charged, and nobody asked for it" for order in charges)


def _unlike_refunds(books: BothBooks, backs: list[Back]) -> Iterator[str]:
    theirs = {refund["id"]: refund for refund in books.refunds}
    if len(theirs) != len(books.refunds):
        yield "a refund stands twice in their books"
    for back in backs:
        found = theirs.pop(back.id, None)
        if not _agree(back.status, [found["status"]] if found else []):
            yield f"{back.id} is {back.status} with us, and with them {found}"
        if found and (found["amount"], found["currency"]) != (back.amount, back.currency):
            yield f"{back.id} is about {back.amount} {back.currency}, theirs about {found}"
    yield from (f"{refund} was given back, and nobody asked for it" for refund in theirs)


def _unlike_sums(books: BothBooks) -> Iterator[str]:
    for each in (*books.payments, *books.top_ups):
        if each["status"] not in STATES:
            yield f"{each['id']} is {each['status']}"
    for payment in books.payments:
        captured = payment["amount"] if payment["status"] == "succeeded" else 0
        given_back = sum(refund["amount"] for refund in payment["refunds"] if refund["status"] == "succeeded")
        promised = sum(refund["amount"] for refund in payment["refunds"] if refund["status"] != "failed")
        if (payment["amount_captured"], payment["amount_refunded"]) != (captured, given_back) or promised > captured:
            yield f"{payment['id']} does not add up: {payment}"


def _unlike_accounts(books: BothBooks, orders: list[Order], backs: list[Back]) -> Iterator[str]:
    expected = _expected_by_the_channel(books, orders, backs)
    _expect_of_merchants_and_wallets(books, expected)
    for prefix in ("sys:1110:", "sys:2010:", "sys:2210:", "sys:2310:", "sys:1910:"):
        for account in books.balances:
            if account.startswith(prefix):
                expected.setdefault(account, 0)
    # A refund that its sales do not cover is the merchant's debt: both accounts together are what is owed to it.
    balances = {**books.balances}
    for account in [account for account in balances if account.startswith("sys:1210:")]:
        owed = account.replace("sys:1210:", "sys:2110:")
        balances[owed] = balances.get(owed, 0) - balances[account]
    for account, amount in sorted(expected.items()):
        if balances.get(account, 0) != amount:
            yield f"{account} is {balances.get(account, 0)} and should be {amount}"


def _expected_by_the_channel(books: BothBooks, orders: list[Order], backs: list[Back]) -> dict[str, int]:
    """What the channel owes us, by its own figures: finished charges, less fees, less finished refunds."""
    expected: dict[str, int] = defaultdict(int)
    finished = {order.id for order in orders if order.status == "succeeded"}
    for charge in books.charges:
        if charge["id"].rpartition("-")[0] in finished and charge["status"] == "succeeded":
            expected[f"sys:1110:{CHANNEL}:{charge['currency'].lower()}"] += charge["amount"] - charge["fee"]
    given_back = {back.id for back in backs if back.status == "succeeded"}
    for refund in books.refunds:
        if refund["id"] in given_back:
            expected[f"sys:1110:{CHANNEL}:{refund['currency'].lower()}"] -= refund["amount"]
    return expected


def _expect_of_merchants_and_wallets(books: BothBooks, expected: dict[str, int]) -> None:
    for top_up in books.top_ups:
        if top_up["status"] == "succeeded":
            expected[f"sys:2010:{top_up['customer']}:{top_up['currency'].lower()}"] += top_up["amount"]
    for payment in books.payments:
        currency = payment["currency"].lower()
        wallet = f"sys:2010:{payment['customer']}:{currency}"
        owed = f"sys:2110:{payment['merchant']}:{currency}"
        if payment["status"] == "succeeded":
            # Half a unit is rounded up.
            expected[owed] += payment["amount"] - (payment["amount"] * FEE_BPS + 5_000) // 10_000 - FEE_FIXED
        if payment["status"] == "succeeded" and not _is_by_card(payment):
            expected[wallet] -= payment["amount"]
        for refund in payment["refunds"]:
            if refund["status"] != "failed":
                expected[owed] -= refund["amount"]
            if refund["status"] == "processing":
                expected[f"sys:2210:{payment['merchant']}:{currency}"] += refund["amount"]
            if refund["status"] == "succeeded" and not _is_by_card(payment):
                expected[wallet] += refund["amount"]
