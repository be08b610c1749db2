"""Methods: what each kind of method has to be told, and what a bank takes; as tables."""

from typing import get_args

import pytest

from commands.channels import bank_redirect
from commands.policies.banks import BANKS
from commands.policies.methods import SCENES, method_objections
from commands.policies.products import PRODUCTS
from ledger.events.payments import Method
from ledger.payment_views import ActionType


def refusals(method: Method, amount: int = 6_000, currency: str = "EUR") -> list[tuple[str, str]]:
    found = method_objections(method, amount, currency)
    return [(error.pointer, error.code) for refusal in found for error in refusal.errors]


def by_bank(bank: str) -> Method:
    return Method("bank_redirect", details={"bank": bank})


@pytest.mark.parametrize(
    ("method", "amount", "currency", "expected"),
    [
        (Method("card"), 1, "EUR", []),
        (Method("bank_redirect"), 6_000, "EUR", [("/method/bank", "field_missing")]),
        (by_bank("nobody"), 6_000, "EUR", [("/method/bank", "bank_unknown")]),
        (by_bank("harbour"), 6_000, "EUR", []),
        (by_bank("harbour"), 6_000, "JPY", [("/currency", "currency_mismatch")]),
        (by_bank("granite"), 99, "EUR", [("/amount", "amount_outside_limits")]),
        (by_bank("granite"), 100, "EUR", []),
        (by_bank("granite"), 250_000, "EUR", []),
        (by_bank("granite"), 250_001, "EUR", [("/amount", "amount_outside_limits")]),
        (by_bank("meadow"), 6_000, "EUR", [("/method/bank", "bank_unavailable")]),
        (
            by_bank("meadow"),
            1_000_001,
            "EUR",
            [("/method/bank", "bank_unavailable"), ("/amount", "amount_outside_limits")],
        ),
        (Method("alipay"), 6_000, "CNY", [("/method/scene", "field_missing")]),
        (Method("wechat_pay", details={"scene": "shout"}), 6_000, "CNY", [("/method/scene", "field_invalid")]),
        (Method("alipay", details={"scene": "qr"}), 6_000, "EUR", [("/currency", "currency_mismatch")]),
    ],
)
def test_what_a_method_lacks_is_named_with_its_place(
    method: Method, amount: int, currency: str, expected: list[tuple[str, str]]
) -> None:
    assert refusals(method, amount, currency) == expected


@pytest.mark.parametrize("kind", ["alipay", "wechat_pay"])
@pytest.mark.parametrize("scene", SCENES)
def test_a_platform_takes_every_scene(kind: str, scene: str) -> None:
    assert refusals(Method(kind, details={"scene": scene}), currency="CNY") == []


def test_the_banks_are_those_of_the_channel() -> None:
    assert {bank.code: bank.name for bank in BANKS} == bank_redirect.BANKS


def test_what_a_payer_may_be_shown_he_has_time_for() -> None:
    for name in ("online_banking", "platform_pay"):
        assert PRODUCTS[name].open_for_s == 1_800
    assert {"redirect", "qr_code", "sms_code", "three_ds", "pay_to_address", "one_time_code", "wait"} == {
        *get_args(ActionType)
    }
