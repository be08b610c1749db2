"""Mobile bills: a phone's number, a cap for each payment and one for each month."""

from datetime import timedelta

import pytest

from commands.payments import CreatePayment
from ledger.errors import CapExceeded, CurrencyMismatch, FieldInvalid, FieldMissing
from ledger.events.payments import Method, PaymentFailed
from tests.commands.given import NOON, given
from tests.commands.stories import PARTIES

ANN, BOB = "+4915112345678", "+4915187654321"


def by_phone(
    number: int, amount: int = 5_000, phone: str | None = ANN, currency: str = "EUR", *, confirm: bool = False
) -> CreatePayment:
    method = Method("carrier_billing", details={} if phone is None else {"phone": phone})
    name = f"pay_{number}"
    return CreatePayment(
        name, "acme", amount, currency, "mobile_bill", method, "order-1", customer="ann", confirm=confirm
    )


FULL = [by_phone(number) for number in range(6)]


def test_one_payment_has_a_cap() -> None:
    story = given(*PARTIES)
    story.when(by_phone(1, 5_001)).refused(CapExceeded, "/amount", most=5_000)
    story.when(by_phone(1, 5_000)).answered(201)


def test_all_payments_of_a_phone_in_a_month_have_one_too() -> None:
    story = given(*PARTIES, *FULL)
    story.when(by_phone(7, 100)).refused(CapExceeded, "/amount", most=30_000, available=0)
    story.when(by_phone(8, 100, BOB)).answered(201)


def test_what_was_not_paid_makes_room_again() -> None:
    story = given(*PARTIES, *FULL, ("pay_3", PaymentFailed("generic_decline")))
    story.when(by_phone(7, 5_000)).answered(201)
    story.when(by_phone(8, 100)).refused(CapExceeded, available=0)


def test_the_next_month_begins_anew() -> None:
    given(*PARTIES, *FULL, NOON + timedelta(days=31)).when(by_phone(7)).answered(201)


@pytest.mark.parametrize(
    ("phone", "refusal"), [(None, FieldMissing), ("015112345678", FieldInvalid), ("+49 151", FieldInvalid)]
)
def test_a_phone_has_a_number(phone: str | None, refusal: type[FieldMissing] | type[FieldInvalid]) -> None:
    given(*PARTIES).when(by_phone(1, phone=phone)).refused(refusal, "/method/phone")


def test_only_some_currencies_stand_on_a_phone_s_bill() -> None:
    given(*PARTIES).when(by_phone(1, currency="ISK")).refused(CurrencyMismatch, "/currency")
