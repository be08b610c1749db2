"""Products in a real log: what is decided for coins, credit, mixed and foreign payments is stored as it was meant.

The gateway for coins is only named here: what it says is told to the same command that its adapter will call.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from commands import attempts
from commands.books import Books
from commands.channels.channel import Charged, CoinsSeen, CoinTransfer, Declined, Refunded
from commands.coin_moves import GiveCoinsBack, PayNetworkFee, SellCoins
from commands.credit_lines import ChangeCreditLimit, ChargeInterest, OpenCreditLine
from commands.customers import CreateCustomer, OpenWallet
from commands.fx import QuoteExchange, SetRate
from commands.fx_settlements import SettleExchange
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment, RecordAttemptResult
from commands.policies.routing import Route, RoutingFacts
from commands.refunds import RecordRefundResult, RequestRefund
from commands.repayments import RecordRepaymentResult, RequestRepayment
from commands.top_ups import RecordTopUpResult, RequestTopUp
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method
from ledger.store.connection import Database, in_book
from tests.writing import Pen, body_of, check_books

CARD, GATEWAY = "card_simulator", "coin_gateway"
NOW = datetime.now(UTC)
PRICE = 100_000


@pytest.fixture
def pen(database: Database, book: str) -> Iterator[Pen]:
    pen = Pen(database, book)
    pen.do(CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EUR"))
    pen.do(CreateMerchant("usco", "US Co", FeeTerms(0, 0), "USD"))
    pen.do(CreateCustomer("ann"))
    pen.do(OpenWallet("ann", "EUR"))
    pen.do(RequestTopUp("top_1", "ann", 10_000, "EUR", Method("card")))
    pen.do(RecordTopUpResult("top_1-1", CARD, charged(10_000, "ch_top")))
    yield pen
    pen.stop()


def charged(amount: int, reference: str) -> Charged:
    return Charged(reference, amount, "EUR", None, NOW)


def pay(pen: Pen, product: str, method: Method, merchant: str = "acme", quote: str | None = None) -> str:
    name = f"pay_{product}"
    command = CreatePayment(name, merchant, 6_000, "EUR", product, method, "order-1", customer="ann", quote=quote)
    pen.do(command)
    return name


def standing(database: Database, book: str) -> dict[str, int]:
    """Every balance that is not zero, on the side of its debits; of a book that is sound."""
    statement = "SELECT account, posted_debits - posted_credits FROM {schema}.balances"
    with database.connect() as connection:
        check_books(connection, book)
        rows = connection.execute(in_book(statement, book)).fetchall()
    return {name: int(balance) for name, balance in rows if balance}


def test_p68_coins(database: Database, book: str, pen: Pen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few blocks, too few coins, the rest with an excess, a reorganisation, and then it is sold."""

    def to_the_gateway(books: Books, facts: RoutingFacts) -> Route:
        return Route(GATEWAY, "the only one", (GATEWAY,))

    monkeypatch.setattr(attempts, "chosen_for", to_the_gateway)
    before = standing(database, book)
    pen.do(SetRate("BTC", "EUR", "60000", "treasury"))
    pen.do(SetRate("BTC", "EUR", "60000.00", "treasury"))
    name = pay(pen, "virtual_currency", Method("coin", details={"coin": "BTC"}))

    def seen(txid: str, amount: int, confirmations: int, *, dropped: bool = False) -> object:
        transfer = CoinTransfer(txid, amount, confirmations, NOW, dropped)
        command = RecordAttemptResult(f"{name}-1", GATEWAY, CoinsSeen("inv_1", "BTC", (transfer,)))
        return body_of(pen.do(command))["effect"]

    assert seen("tx_1", 40_000, 1) == "recorded"
    assert standing(database, book) == before
    assert seen("tx_1", 40_000, 2) == "unapplied"
    assert seen("tx_2", 70_000, 2) == "recorded"
    assert seen("tx_2", 70_000, 2) == "ignored"
    paid = standing(database, book)
    assert (paid["sys:1310:coin_gateway:btc"], paid["sys:2310:coin_gateway:btc"]) == (110_000, -10_000)
    assert seen("tx_2", 70_000, 0, dropped=True) == "recorded"
    assert standing(database, book)["sys:1310:coin_gateway:btc"] == 40_000
    assert seen("tx_2", 70_000, 3) == "recorded"
    assert standing(database, book) == paid
    pen.do(GiveCoinsBack(name, 10_000, "bc1q", "tx_9"))
    pen.do(PayNetworkFee("coin_fee", GATEWAY, "BTC", 100))
    pen.do(SellCoins("coin_sale", GATEWAY, "BTC", PRICE, "EUR", 6_050, "kraken"))
    after = standing(database, book)
    assert {name: after.get(name, 0) - before.get(name, 0) for name in after | before} == {
        **dict.fromkeys(before, 0),
        "sys:2110:acme:eur": -6_000,
        "sys:1110:kraken:eur": 6_050,
        "sys:4030:coin_gateway:eur": -50,
        "sys:1310:coin_gateway:btc": -100,
        "sys:5010:coin_gateway:btc": 100,
    }


def test_p65_credit(database: Database, book: str, pen: Pen) -> None:
    pen.do(OpenCreditLine("ann", "EUR", 5_000, 150))
    pen.do(ChangeCreditLimit("ann", "EUR", 6_000))
    name = pay(pen, "credit_pay", Method("credit"))
    month = f"{datetime.now(UTC):%Y-%m}"
    pen.do(ChargeInterest("ann", "EUR", month))
    pen.do(RequestRepayment("rep_1", "ann", 1_090, "EUR", Method("card")))
    pen.do(RecordRepaymentResult("rep_1-1", CARD, charged(1_090, "ch_rep")))
    owed = standing(database, book)
    assert (owed["sys:1220:ann:eur"], owed.get("sys:1221:ann:eur", 0)) == (5_000, 0)
    pen.do(RequestRefund(name, None, "returned"))
    after = standing(database, book)
    assert ("sys:1220:ann:eur" in after, after["sys:2010:ann:eur"]) == (False, -11_000)


def test_p64_mixed(database: Database, book: str, pen: Pen) -> None:
    before = standing(database, book)
    name = pay(pen, "quick_pay", Method("mixed", wallet_amount=2_000))
    assert standing(database, book)["sys:2020:ann:eur"] == -2_000
    pen.do(RecordAttemptResult(f"{name}-1", CARD, Declined("insufficient_funds", "51", "no", hard=True)))
    assert standing(database, book) == before


def test_p31_a_foreign_card(database: Database, book: str, pen: Pen) -> None:
    pen.do(SetRate("EUR", "USD", "1.25", "treasury"))
    pen.do(QuoteExchange("fxq_1", "EUR", "USD", 6_000, 60))
    name = pay(pen, "foreign_card", Method("card"), "usco", "fxq_1")
    pen.do(RecordAttemptResult(f"{name}-1", CARD, charged(6_000, "ch_1")))
    refund = str(body_of(pen.do(RequestRefund(name, 2_000, "returned")))["id"])
    pen.do(RecordRefundResult(refund, CARD, Refunded("re_1", 2_000, "EUR", None, NOW)))
    pen.do(SettleExchange(name, 7_490))
    pen.do(SettleExchange(refund, 2_520))
    after = standing(database, book)
    assert not [account for account in after if account.startswith("sys:1410:")]
    assert after["sys:2110:usco:usd"] == -5_000
    assert after["sys:5040:card_simulator:usd"] == 30
