"""Product laws: random histories of credit, and of coins on a chain that changes its mind."""

from hypothesis import given as sampled
from hypothesis import strategies as st

from commands.credit_lines import ChangeCreditLimit, ChargeInterest
from commands.credit_losses import DecideCreditLoss, ProposeCreditLoss
from commands.envelope import Command
from ledger.credit_line_state import CreditLine
from ledger.credit_line_state import fold as fold_line
from ledger.events.coins import PaymentPaidInCoins
from ledger.events.credit_lines import CreditRepaid, credit_line_stream
from ledger.payment_state import fold
from ledger.repayment_state import repayment_view
from tests.commands.given import Story, given
from tests.commands.product_stories import (
    ALLOWANCE,
    GATEWAY,
    INTEREST,
    PRICE,
    PRINCIPAL,
    WITH_CREDIT,
    coins,
    on_credit,
    repaid,
    sale,
    waiting_for_coins,
)
from tests.commands.stories import ANN, PARTIES, refund

amounts = st.one_of(st.integers(100, 12_000), st.sampled_from([25, 90, 115, 6_000, 10_000]))
credit_happenings: st.SearchStrategy[tuple[str, int, int]] = st.tuples(
    st.sampled_from(["buy", "repay", "refund", "interest", "limit", "impair", "write_off", "agree"]),
    amounts,
    st.integers(1, 3),
)


def _of_credit(word: str, amount: int, number: int, index: int) -> list[Command]:
    match word:
        case "buy":
            return [on_credit(f"pay_{number}", amount)]
        case "repay":
            return list(repaid(amount, index))
        case "refund":
            return [refund(amount, f"pay_{number}")]
        case "interest":
            return [ChargeInterest("ann", "EUR", f"2026-{number:02}")]
        case "limit":
            return [ChangeCreditLimit("ann", "EUR", amount)]
        case "impair":
            return [ProposeCreditLoss("ann", "EUR", "impairment", amount, "late")]
        case "write_off":
            return [ProposeCreditLoss("ann", "EUR", "write_off", amount, "gone")]
        case _:
            return [DecideCreditLoss("ann", "EUR", number, True)]


def line_of(story: Story) -> CreditLine:
    line = fold_line(story.stream(credit_line_stream("ann", "EUR")))
    assert line is not None
    return line


@sampled(st.lists(credit_happenings, max_size=25))
def test_a_credit_line_always_adds_up(told: list[tuple[str, int, int]]) -> None:
    story = given(*WITH_CREDIT)
    for index, (word, amount, number) in enumerate(told):
        before, principal, wallet = line_of(story), story.balance(PRINCIPAL), story.balance(ANN)
        for command in _of_credit(word, amount, number, index):
            # Every other command is asked for by another person, so that losses find their second one.
            story.by("maker" if "Propose" in type(command).__name__ else "checker").when(command)
        line = line_of(story)
        assert line.fees_due >= 0
        assert line.interest_due >= 0
        assert story.balance(PRINCIPAL) >= 0
        assert story.balance(INTEREST) == line.fees_due + line.interest_due
        assert -story.balance(ALLOWANCE) == line.allowance >= 0
        if word == "buy" and story.balance(PRINCIPAL) > principal:
            assert story.balance(PRINCIPAL) <= line.limit
        if word == "repay":
            paid = repayment_view(story.stream(f"rep_{index}"))
            assert paid.fees + paid.interest + paid.principal + paid.to_wallet == amount
            # Nothing is paid while something before it in the order is left.
            assert not (paid.interest and paid.fees < before.fees_due)
            assert not (paid.principal and paid.interest < before.interest_due)
            assert not (paid.to_wallet and paid.principal < principal)
            assert story.balance(ANN) == wallet + paid.to_wallet
    accounts = story.accounts.values()
    assert sum(account.posted_debits - account.posted_credits for account in accounts) == 0
    repayments = [r.event for r in story.log if isinstance(r.event, CreditRepaid)]
    assert len(repayments) == sum(word == "repay" for word, _, _ in told)


coin_happenings = st.builds(
    lambda payment, txid, amount, confirmations, late, dropped: coins(
        txid, amount, confirmations, late=late, dropped=dropped, payment=payment
    ),
    st.sampled_from(["pay_1", "pay_2"]),
    st.sampled_from(["tx_1", "tx_2", "tx_3"]),
    st.sampled_from([1, 40_000, 60_000, PRICE, 130_000]),
    st.integers(0, 3),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False, False, False, True]),
)
CUSTODY, APART = f"sys:1310:{GATEWAY}:btc", f"sys:2310:{GATEWAY}:btc"
COINS, EUROS = f"sys:1410:{GATEWAY}:btc-eur:btc", f"sys:1410:{GATEWAY}:btc-eur:eur"


@sampled(st.lists(coin_happenings, max_size=25), st.integers(1, 20_000), st.integers(1, 99))
def test_custody_is_what_was_received_and_the_position_is_zero_after_the_sale(
    told: list[Command], proceeds: int, percent: int
) -> None:
    story = given(*PARTIES, *waiting_for_coins(), *waiting_for_coins("pay_2"))
    for command in told:
        assert story.when(command).refusal is None, "what a channel says is taken"
        found = [fold(story.stream(name)) for name in ("pay_1", "pay_2")]
        payments = [payment for payment in found if payment is not None]
        deep = [one for payment in payments for one in payment.coins if one.status != "seen"]
        assert story.balance(CUSTODY) == sum(one.amount for one in deep)
        assert story.balance(APART) == sum(payment.coins_apart for payment in payments) >= 0
        paid = [payment for payment in payments if payment.status == "succeeded"]
        assert (story.balance(COINS), story.balance(EUROS)) == (-PRICE * len(paid), 6_000 * len(paid))
        assert sum(payment.captured for payment in payments) == 6_000 * len(paid)
        for payment in payments:
            assert (payment.status == "succeeded") == isinstance(payment.paid_in_coins, PaymentPaidInCoins)
            assert payment.status == "succeeded" or payment.coins_counting < PRICE
    held = -story.balance(COINS)
    if held:
        part = held * percent // 100
        story.given(sale(part, proceeds), sale(held - part, proceeds, "coin_2"))
    assert (story.balance(COINS), story.balance(EUROS)) == (0, 0)
    assert story.balance(CUSTODY) == story.balance(APART)
    for currency in ("EUR", "BTC"):
        of_currency = [account for account in story.accounts.values() if account.currency == currency]
        assert sum(account.posted_debits - account.posted_credits for account in of_currency) == 0
