"""A book of all kinds: some ten thousand entries through the real handler, with something of everything that posts.

Transfers in currencies with no digits, two, three, and coins with eight, half of them dated back over weeks; payments
by card, held and captured, refunded, disputed; cards abroad with exchange; coins, their sale; wallets and payouts.
Accounts lie within each other's names, and descriptions try to be more than words.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from commands.accounts import OpenAccount
from commands.authorizations import CapturePayment
from commands.changes import RecordChangeResult
from commands.channels.channel import Verdict
from commands.disputes import RecordDisputeWord
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.fx import QuoteExchange, SetRate
from commands.payments import CreatePayment, RecordAttemptResult
from commands.refunds import RecordRefundResult
from commands.transfers import PlaceHold, PostTransfer
from ledger.events.payments import Method
from ledger.ids import ENTRY, HOLD, new_id
from ledger.journal import credit, debit
from tests.commands import payout_stories as payouts
from tests.commands.dispute_stories import word
from tests.commands.held import authorized, changed, held_by_card
from tests.commands.product_stories import AMERICAN, coins, foreign, sale
from tests.commands.stories import CARD, CHANNEL, charged, refund, refunded
from tests.writing import Pen, part

UNITS = ("EUR", "USD", "JPY", "BHD", "BTC", "USDT", "PTS")
KINDS = ("asset", "liability", "equity", "revenue", "expense")
WEEKS = timedelta(days=40)
# One injection for each way out of a line, a comment, a string, a tag or a date that either program knows.
DESCRIPTIONS = (
    None,
    "Rent of May",
    'She said "2026-01-01 open Assets:Evil" and left\\',
    "a ; comment, position:1 date:2020-01-01 [2020-01-01]",
    "2020-01-01=2020-01-02 * (7) | payee = 5 EUR",
    "Büro · 会社 · 🏦 — ’fine’",
    "  Assets:Evil  1 EUR  = 5 EUR @ 3 USD {4 USD} #tag ^link",
)
_AT_ONCE = 500


def fill(held: Pen, transfers: int, payments: int, seed: int = 5) -> None:
    """All of it; what is asked for is carried out, each command of it."""
    for commands in _in_batches([*_opened(), *_transfers(transfers, random.Random(seed)), *_paid(payments)]):
        answers = held.submit([part(command) for command in commands], patience_s=60)()
        for command, answer in zip(commands, answers, strict=True):
            assert answer.error is None, (command, answer.error)
            assert answer.refusal is None, (command, answer.refusal, answer.refusal.detail)
    _do(held, *_paid_out(payments // 20))


def _do(held: Pen, *commands: Command) -> None:
    for command in commands:
        held.do(command)


def _in_batches(commands: list[Command]) -> Iterator[list[Command]]:
    for begin in range(0, len(commands), _AT_ONCE):
        yield commands[begin : begin + _AT_ONCE]


# --- what is moved by hand


def accounts() -> dict[str, tuple[str, str]]:
    """Kind and currency by id: one of each, and some whose names lie within another's or are nearly another's."""
    found = {f"{kind}:{unit.lower()}": (kind, unit) for kind in KINDS for unit in UNITS}
    near = (
        "customer",
        "customer:17",
        "customer:17:a",
        "customer_17",
        "customer-17",
        "customer.17",
        "x_x",
        "customer:e_u_r",
    )
    return found | dict.fromkeys(near, ("liability", "EUR")) | {"idle": ("asset", "JPY")}


def _opened() -> Iterator[Command]:
    for name, (kind, unit) in accounts().items():
        yield OpenAccount(name, f'The "{name}"; it\\', kind, unit)


def _transfers(count: int, draw: random.Random) -> Iterator[Command]:
    of_unit = {unit: [name for name, (_, u) in accounts().items() if u == unit and name != "idle"] for unit in UNITS}
    begin = datetime.now(UTC) - WEEKS
    posted: list[str] = []
    for number in range(count):
        name, unit = new_id(ENTRY), draw.choice(UNITS)
        one, other, third = draw.sample(of_unit[unit], 3)
        amount = draw.choice((1, draw.randint(1, 999), draw.randint(1, 10**12)))
        # Moments that several share, moments of midnight, and now.
        day = begin + timedelta(days=draw.randint(0, 39), minutes=draw.randint(0, 3))
        at = draw.choice((None, day, day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)))
        said = draw.choice(DESCRIPTIONS)
        if number % 20 == 7:
            other_unit = draw.choice([another for another in UNITS if another != unit])
            two, four = draw.sample(of_unit[other_unit], 2)
            more = (debit(two, amount, other_unit), credit(four, amount, other_unit))
            yield PostEntry(
                name,
                (debit(one, 2 * amount, unit), credit(other, amount, unit), credit(third, amount, unit), *more),
                at,
                None,
                said,
            )
        elif number % 50 == 9:
            yield ReverseEntry(name, posted.pop(), "by mistake; really", None, draw.choice((None, "original")))
        else:
            reference = f'ref, evil:"{number}";' if number % 9 == 0 else None
            yield PostTransfer(name, one, other, amount, unit, at, reference, said)
            posted.append(name)
    for number in range(20):
        yield PlaceHold(new_id(HOLD), "asset:eur", "customer", 5 + number, "EUR")


# --- what is paid


def _paid(count: int) -> Iterator[Command]:
    """So many payments, most by card, each of them with a fate of its own."""
    yield from payouts.PARTIES[:2]
    yield AMERICAN
    yield SetRate("EUR", "USD", "1.25", "treasury")
    yield SetRate("BTC", "EUR", "60000", "treasury")
    for number in range(count):
        name, amount = f"pay_{number}", 6_000 + number
        if number % 10 == 3:
            yield from _held(name, amount)
        elif number % 20 == 5:
            yield QuoteExchange(f"fxq_{number}", "EUR", "USD", 10_000, 900)
            order = foreign(name, f"fxq_{number}")
            yield replace(order, order_reference=f"order-{number}")
            yield _attempt(name, charged(10_000, f"ch_{number}"))
        elif number % 20 == 15:
            method = Method("coin", details={"coin": "BTC"})
            yield CreatePayment(name, "acme", 6_000, "EUR", "virtual_currency", method, f"order-{number}")
            # More than was asked for: the rest is kept apart.
            yield replace(coins(f"tx_{number}", 100_017, payment=name), attempt=f"{name}-1")
        else:
            yield CreatePayment(name, "acme", amount, "EUR", "quick_pay", CARD, f"order-{number}")
            yield _attempt(name, charged(amount, f"ch_{number}"))
            yield from _afterwards(name, number)
    for number in range(count // 40):
        yield sale(100_000, 6_050 if number % 2 else 5_950, f"coin_{number}")


def _paid_out(count: int) -> Iterator[Command]:
    """So many payouts to the merchant: on their way, gone, and come back."""
    if count:
        yield ReleaseFunds("acme", "EUR", count * 6_000, 0, 1_000_000)
    for number in range(count):
        name = f"po_{number}"
        yield payouts.payout(name, 5_000)
        yield payouts.said(payouts.paid_out(5_000, f"out_{number}"), name)
        if number % 3 == 0:
            yield payouts.at_the_bank(name)
        elif number % 3 == 1:
            yield payouts.said(payouts.sent_back(5_000, f"back_{number}"), name)


def _attempt(name: str, verdict: Verdict) -> RecordAttemptResult:
    return RecordAttemptResult(f"{name}-1", CHANNEL, verdict)


def _held(name: str, amount: int) -> Iterator[Command]:
    """Held beside the books, and taken for a part."""
    number = name.removeprefix("pay_")
    yield replace(held_by_card(name, amount), order_reference=f"order-{number}")
    yield _attempt(name, authorized(amount, f"au_{number}", datetime.now(UTC) + timedelta(days=7)))
    yield CapturePayment(name, amount - 1_000, False)
    yield RecordChangeResult(f"cap_{number}-1", CHANNEL, changed(amount - 1_000, f"ca_{number}"))


def _afterwards(name: str, number: int) -> Iterator[Command]:
    if number % 2:
        amount = 500 + number % 7
        yield refund(amount, name)
        yield RecordRefundResult(f"ref_{number}-1", CHANNEL, refunded(amount, f"re_{number}"))
    elif number % 3 == 0:
        for status in ("opened", "lost" if number % 4 else "won"):
            told = word(status, amount=2_000, reference=f"dp_{number}")
            said = replace(told.verdict, channel_reference=f"ch_{number}")
            yield RecordDisputeWord(f"{name}-1", CHANNEL, said)
