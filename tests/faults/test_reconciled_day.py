"""A day with every fault on reconciles to the bank: the campaign of `./run long reconciled-day`, in small."""

from tests.campaigns import reconciled_day
from tests.faults.two_channels import Sizes

EVERYBODY = {
    "card_simulator",
    "card_simulator_b",
    "bank_redirect",
    "carrier",
    "instant_payouts",
    "alipay",
    "wechat_pay",
}


def test_after_the_bank_s_statement_every_batch_is_zero_and_nothing_is_a_break() -> None:
    report = reconciled_day.run(Sizes(payments=90, seed=4))
    assert report.wrong == []
    assert {name.split()[0] for name in report.runs} == {*EVERYBODY, "bank"}
    assert {"alipay", "wechat_pay", "card_simulator", "card_simulator_b"} <= {name.split()[0] for name in report.files}
    assert all(run["settled"] > 0 for run in report.runs.values())
    assert {*report.payouts} == {"usual", "instant", "float"}
    assert sum(fired > 0 for fired in report.faults.values()) >= 12


def test_each_injected_difference_is_found_and_none_is_false() -> None:
    report = reconciled_day.run_injected(Sizes(payments=80, seed=11))
    assert report.wrong == []
    assert {what for what, _ in report.injected} == {
        "missing_there",
        "missing_here",
        "amount_ours_less",
        "amount_ours_more",
        "fee",
        "currency",
        "duplicate",
        "payout_not_at_bank",
        "bank_credit_unknown",
    }
    assert sorted(report.found) == sorted(report.injected)
