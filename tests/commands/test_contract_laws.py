"""Contract laws: whatever happens in whatever order, no period of a contract is ever charged beyond its limit."""

from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from commands.channels.channel import ContractSigned, Declined
from commands.contract_results import RecordContractResult
from commands.contracts import CreateContract
from commands.payments import CreatePayment, RecordAttemptResult
from ledger.contract_limits import PERIODS, period_of
from ledger.contract_state import charges
from ledger.errors import ContractLimitExceeded
from ledger.events.contracts import Limits, PeriodLimit
from ledger.events.event import Recorded
from ledger.events.payments import Method
from ledger.payment_state import fold
from tests.commands.given import NOON, given
from tests.commands.stories import CHANNEL, PARTIES, charged

MOST = 2_000
_STEPS = st.one_of(
    st.tuples(st.just("charge"), st.integers(100, 1_500), st.integers(0, 40)),
    st.tuples(st.just("charged"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("declined"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("pass"), st.integers(1, 20), st.just(0)),
)


@pytest.mark.parametrize(
    ("moment", "period", "first_day"),
    [
        ("2026-03-15T23:59:59Z", "day", "2026-03-15"),
        # A day is one in UTC, wherever the clock that wrote the moment stands.
        ("2026-03-16T00:30:00+01:00", "day", "2026-03-15"),
        ("2026-03-15T23:59:59Z", "week", "2026-03-09"),
        ("2026-03-16T00:00:00Z", "week", "2026-03-16"),
        ("2027-01-01T00:00:00Z", "week", "2026-12-28"),
        ("2026-03-31T23:59:59Z", "month", "2026-03-01"),
        ("2026-04-01T00:00:00Z", "month", "2026-04-01"),
    ],
)
def test_a_period_is_one_of_the_calendar_in_utc(moment: str, period: str, first_day: str) -> None:
    assert period_of(datetime.fromisoformat(moment), period).isoformat() == first_day


@settings(max_examples=60, deadline=None)
@drawn(st.sampled_from(PERIODS), st.lists(_STEPS, max_size=30))
def test_no_period_is_charged_beyond_its_limit(period: str, steps: list[tuple[str, int, int]]) -> None:
    limits = Limits("EUR", per_period=PeriodLimit(MOST, period))
    story = given(
        *PARTIES,
        CreateContract("con_1", "ann", "acme", "protocol_pay", Method("card", "tok"), limits),
        RecordContractResult("con_1", CHANNEL, ContractSigned("agr_1", NOON)),
    )
    amounts: list[int] = []
    for step, number, days in steps:
        match step:
            case "charge":
                method = Method("contract", details={"contract": "con_1"})
                at = story.books.now + timedelta(days=days) if days else None
                name = f"pay_{len(amounts)}"
                command = CreatePayment(
                    name, "acme", number, "EUR", "protocol_pay", method, "o", customer="ann", scheduled_at=at
                )
                used = _counted(story.stream("con_1"), period)[period_of(at or story.books.now, period)]
                refusal = story.when(command).refusal
                # Refused exactly where it does not fit.
                assert isinstance(refusal, ContractLimitExceeded) == (used + number > MOST), refusal
                amounts += [] if refusal else [number]
            case "charged" | "declined" if number < len(amounts):
                payment = fold(story.stream(f"pay_{number}"))
                if payment is not None and payment.attempts:
                    said = charged(amounts[number], f"ch_{number}") if step == "charged" else _NO
                    story.given(RecordAttemptResult(f"pay_{number}-1", CHANNEL, said))
            case "pass":
                story.given(story.books.now + timedelta(days=number))
    assert all(used <= MOST for used in _counted(story.stream("con_1"), period).values())
    for name, charge in charges(story.stream("con_1")).items():
        payment = fold(story.stream(name))
        assert payment is not None
        expected = {"succeeded": "confirmed", "failed": "released"}.get(payment.status, "reserved")
        assert charge.status == expected


_NO = Declined("insufficient_funds", "51", "", hard=False)


def _counted(history: list[Recorded], period: str) -> Counter[date]:
    counted: Counter[date] = Counter()
    for charge in charges(history).values():
        if charge.counts:
            counted[period_of(charge.counts_at, period)] += charge.amount
    return counted
