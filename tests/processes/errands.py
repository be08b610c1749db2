"""Errands: everything that a channel is asked for, each with what comes before it, and what has become of it after.

`ERRANDS` has one line for each. `begin(house)` gives the subject a channel is to be asked about next; it needs a worker
for what comes first. `ask(house, subject)` records the intent, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from commands.authorizations import CapturePayment, ExtendPayment, IncrementPayment
from commands.cancellations import CancelPayment
from commands.channels.simulator.conduct import CODE
from commands.confirmations import ConfirmPayment
from commands.contracts import ConfirmContract, CreateContract, TerminateContract
from commands.disputes import AcceptDispute, ChallengeDispute
from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment
from commands.payouts import CreatePayout
from commands.refunds import RequestRefund
from commands.revocations import RevokePayment
from ledger.contract_state import fold as contract_of
from ledger.events.contracts import Limits
from ledger.events.merchants import FeeTerms, SettlementTerms
from ledger.events.payments import Method
from ledger.ids import CONTRACT, DISPUTE, PAYOUT, child_id, new_id
from ledger.payment_state import fold as payment_of
from ledger.payout_views import payout_view
from tests.processes.house import House, until
from tests.processes.test_payout_calls import BANK, sold
from tests.writing import body_of

AMOUNT = 6_000


@dataclass(frozen=True, slots=True)
class Errand:
    """`operation`: the word of the channel's fault plan. `there`: the kind in its books, and how it stands when done.

    `here`: whether it is over here, and well.
    """

    operation: str
    begin: Callable[[House], str]
    ask: Callable[[House, str], None]
    here: Callable[[House, str], bool]
    there: tuple[str, str]


# --- payments ---------------------------------------------------------------------------------------------------------


def order(house: House, token: str | None = None, *, capture: str = "automatic", confirm: bool = True) -> str:
    """The id of a payment by card, as soon as it is recorded."""
    method = Method("card", token)
    name = new_id("pay_")
    command = CreatePayment(
        name, "acme", AMOUNT, "EUR", "quick_pay", method, "order-1", "ann", capture=capture, confirm=confirm
    )
    return str(body_of(house.pen.do(command))["id"])


def _created(capture: str = "automatic") -> Callable[[House], str]:
    return lambda house: order(house, capture=capture, confirm=False)


def _becoming(status: str, token: str | None = None, capture: str = "automatic") -> Callable[[House], str]:
    """The beginning of what is done with a payment that has this status."""

    def begin(house: House) -> str:
        name = order(house, token, capture=capture)
        until(lambda: True if house.payment(name).status == status else None)
        return name

    return begin


def _is(status: str, **amounts: int) -> Callable[[House, str], bool]:
    def holds(house: House, name: str) -> bool:
        view = house.payment(name)
        parts = [*(capture.status for capture in view.captures), *(refund.status for refund in view.refunds)]
        found = {field: getattr(view, field) for field in amounts}
        return view.status == status and found == amounts and "processing" not in parts

    return holds


def _declined_and_then_paid(house: House, name: str) -> None:
    """The money comes for a payment that has failed: it is given back by itself."""
    with httpx2.Client(base_url=house.simulator.url, trust_env=False) as client:
        assert client.post(f"/control/charges/{name}-1/succeed").status_code == 200
    until(lambda: True if "receipts.return_requested.v1" in house.topics(name) else None)


def _by(command: Callable[[str], Command]) -> Callable[[House, str], None]:
    """The intent is recorded by this command about the subject."""

    def ask(house: House, name: str) -> None:
        house.pen.do(command(name))

    return ask


def _disputed(house: House) -> str:
    """A payment whose bank has opened a dispute of all of it."""
    name = _becoming("succeeded")(house)
    house.simulator.control("disputes", {"charge": f"{name}-1"})
    until(lambda: True if "disputes.funds_taken.v1" in house.topics(name) else None)
    return name


def _answered(status: str, money: str) -> Callable[[House, str], bool]:
    def holds(house: House, name: str) -> bool:
        payment = payment_of(house.history(name))
        (dispute,) = () if payment is None else payment.disputes
        found = (dispute.status, dispute.money, [answer.status for answer in dispute.answers])
        return found == (status, money, ["delivered"])

    return holds


def _dispute_of(payment: str) -> str:
    return child_id(DISPUTE, payment, 1)


# --- payouts and contracts --------------------------------------------------------------------------------------------


def _draft(house: House, name: str, **details: str) -> None:
    card = Method("card", "tok_visa", details)
    house.pen.do(CreateContract(name, "ann", "acme", "protocol_pay", card, Limits("EUR")))


def _drafted(status: str, **details: str) -> Callable[[House], str]:
    def begin(house: House) -> str:
        name = new_id(CONTRACT)
        _draft(house, name, **details)
        until(lambda: True if _has(status)(house, name) else None)
        return name

    return begin


def _has(status: str) -> Callable[[House, str], bool]:
    def holds(house: House, name: str) -> bool:
        found = contract_of(house.history(name))
        return found is not None and found.status == status

    return holds


def _ended(house: House, name: str) -> bool:
    found = contract_of(house.history(name))
    return found is not None and found.status == "terminated" and found.end_confirmed


def fund_seller(house: House) -> None:
    """A merchant who may have 1,000.00 EUR, which a customer has really paid; needs a worker."""
    house.pen.do(CreateMerchant("seller", "Seller", FeeTerms(0, 0), "EUR", settlement=SettlementTerms(days=0)))
    house.topped_up(house.top_up(amount=100_000))
    sold(house, new_id("pay_"), 100_000)
    house.pen.do(ReleaseFunds("seller", "EUR", 100_000, 0, house.position()))


def _pay_out(house: House, name: str) -> None:
    house.pen.do(CreatePayout(name, "merchant", "seller", 1_000, "EUR", BANK))


ERRANDS: dict[str, Errand] = {
    "charge": Errand(
        "charge",
        _created(),
        _by(ConfirmPayment),
        _is("succeeded", amount_captured=AMOUNT),
        ("charges", "succeeded"),
    ),
    "authorize": Errand(
        "charge",
        _created("manual"),
        _by(ConfirmPayment),
        _is("authorized", amount_authorized=AMOUNT, amount_captured=0),
        ("charges", "authorized"),
    ),
    "answer of the payer": Errand(
        "confirm",
        _becoming("requires_action", "tok_sms"),
        _by(lambda name: ConfirmPayment(name, CODE)),
        _is("succeeded"),
        ("charges", "succeeded"),
    ),
    "close": Errand(
        "void",
        _becoming("requires_action", "tok_redirect"),
        _by(lambda name: CancelPayment(name)),
        _is("canceled"),
        ("changes", "succeeded"),
    ),
    "capture": Errand(
        "capture",
        _becoming("authorized", capture="manual"),
        _by(lambda name: CapturePayment(name, 4_000)),
        _is("partially_captured", amount_captured=4_000),
        ("changes", "succeeded"),
    ),
    "void": Errand(
        "void",
        _becoming("authorized", capture="manual"),
        _by(lambda name: CancelPayment(name)),
        _is("canceled", amount_captured=0, amount_capturable=0),
        ("changes", "succeeded"),
    ),
    "increment": Errand(
        "increment",
        _becoming("authorized", capture="manual"),
        _by(lambda name: IncrementPayment(name, 1_000)),
        _is("authorized", amount_capturable=AMOUNT + 1_000),
        ("changes", "succeeded"),
    ),
    "extend": Errand(
        "extend",
        _becoming("authorized", capture="manual"),
        _by(lambda name: ExtendPayment(name)),
        lambda house, name: "authorizations.extended.v1" in house.topics(name),
        ("changes", "succeeded"),
    ),
    "revoke": Errand(
        "void",
        _becoming("succeeded"),
        _by(lambda name: RevokePayment(name)),
        _is("canceled", amount_captured=0),
        ("changes", "succeeded"),
    ),
    "refund": Errand(
        "refund",
        _becoming("succeeded"),
        _by(lambda name: RequestRefund(name, 1_000, "returned")),
        _is("succeeded", amount_refunded=1_000),
        ("refunds", "succeeded"),
    ),
    "return of a receipt": Errand(
        "refund",
        _becoming("failed", "tok_insufficient_funds"),
        _declined_and_then_paid,
        lambda house, name: "receipts.returned.v1" in house.topics(name),
        ("refunds", "succeeded"),
    ),
    "acceptance of a dispute": Errand(
        "accept_dispute",
        _disputed,
        _by(lambda name: AcceptDispute(_dispute_of(name))),
        _answered("accepted", "lost"),
        ("dispute_answers", "succeeded"),
    ),
    "evidence": Errand(
        "challenge_dispute",
        _disputed,
        _by(lambda name: ChallengeDispute(_dispute_of(name), {"delivery": "signed for"})),
        _answered("challenged", "taken"),
        ("dispute_answers", "succeeded"),
    ),
    "payout": Errand(
        "payout",
        lambda house: new_id(PAYOUT),
        _pay_out,
        lambda house, name: bool(house.history(name)) and payout_view(house.history(name)).status == "paid",
        ("payouts", "succeeded"),
    ),
    "sign": Errand(
        "sign",
        lambda house: new_id(CONTRACT),
        lambda house, name: _draft(house, name, sign="at_once"),
        _has("active"),
        ("contracts", "signed"),
    ),
    "code of a contract": Errand(
        "sign",
        _drafted("pending_user"),
        _by(lambda name: ConfirmContract(name, CODE)),
        _has("active"),
        ("contracts", "signed"),
    ),
    "end of a contract": Errand(
        "end",
        _drafted("active", sign="at_once"),
        _by(lambda name: TerminateContract(name, "moved")),
        _ended,
        ("contracts", "ended"),
    ),
}
