"""What the stories about authorizations begin with: money that a channel or a wallet holds, and a channel's words."""

from datetime import datetime, timedelta

from commands.authorizations import CapturePayment, ExtendPayment, IncrementPayment
from commands.cancellations import CancelPayment, ExpirePayment
from commands.changes import RecordChangeResult
from commands.channels.channel import Authorized, Changed, ChangeDeclined, Verdict
from commands.envelope import Command
from commands.payments import CreatePayment
from commands.revocations import RevokePayment
from ledger.payment import Payment
from ledger.payment_state import fold
from ledger.payment_views import PaymentView, payment_view_of
from tests.commands.given import NOON, Story
from tests.commands.stories import CARD, CHANNEL, PARTIES, WALLET, attempt_of, topped_up

AUTHORIZED = "sys:9010:card_simulator:eur"
CONTRA = "sys:9019:card_simulator:eur"
FROZEN = "sys:2020:ann:eur"
IN_A_WEEK = NOON + timedelta(days=7)

CHANGE_DECLINED = ChangeDeclined("generic_decline", "05", "Not today.")


def authorized(
    amount: int = 6_000, reference: str = "au_1", until: datetime | None = IN_A_WEEK, currency: str = "EUR"
) -> Authorized:
    return Authorized(reference, amount, currency, until, NOON)


def changed(amount: int, reference: str = "ca_1", until: datetime | None = None, currency: str = "EUR") -> Changed:
    return Changed(reference, amount, currency, NOON, until)


def held_by_card(name: str = "pay_1", amount: int = 6_000) -> CreatePayment:
    return CreatePayment(name, "acme", amount, "EUR", "quick_pay", CARD, "order-1", capture="manual")


def held_in_wallet(name: str = "pay_1", amount: int = 6_000) -> CreatePayment:
    return CreatePayment(
        name, "acme", amount, "EUR", "balance_pay", WALLET, "order-1", customer="ann", capture="manual"
    )


HELD: tuple[Command, ...] = (*PARTIES, held_by_card(), attempt_of("pay_1", authorized()))
HELD_IN_WALLET: tuple[Command, ...] = (*PARTIES, *topped_up(10_000), held_in_wallet())


def capture(amount: int | None = None, *, final: bool = False) -> CapturePayment:
    return CapturePayment("pay_1", amount, final)


def increment(amount: int) -> IncrementPayment:
    return IncrementPayment("pay_1", amount)


extend = ExtendPayment("pay_1")
cancel = CancelPayment("pay_1", "changed their mind")
expire = ExpirePayment("pay_1")
revoke = RevokePayment("pay_1", "changed their mind")


def capture_result(number: int, verdict: Verdict) -> RecordChangeResult:
    return RecordChangeResult(f"cap_1-{number}", CHANNEL, verdict)


def void_result(number: int, verdict: Verdict) -> RecordChangeResult:
    return RecordChangeResult(f"void_1-{number}", CHANNEL, verdict)


def increment_result(number: int, verdict: Verdict) -> RecordChangeResult:
    return RecordChangeResult(f"inc_1-{number}", CHANNEL, verdict)


def captured(amount: int, number: int = 1, *, final: bool = False) -> tuple[Command, ...]:
    """A capture that was asked for and succeeded."""
    return capture(amount, final=final), capture_result(number, changed(amount, f"ca_{number}"))


def payment_of(story: Story, name: str = "pay_1") -> Payment:
    payment = fold(story.stream(name))
    assert payment is not None
    return payment


def shown(story: Story) -> PaymentView:
    return payment_view_of(payment_of(story))


def stands(story: Story) -> tuple[str, int, int]:
    """The status, what was captured, and what is held beside the books."""
    return payment_of(story).status, payment_of(story).captured, story.balance(AUTHORIZED)
