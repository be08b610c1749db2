"""Channel fees: a channel keeps its fee (A6), or settles the whole and invoices it (A6b)."""

import pytest
from msgspec.structs import replace

from commands.policies.channels import CHANNELS
from ledger.posting_rules import entry_for
from tests.commands.given import Happening, given, postings_of
from tests.commands.held import changed, revoke, void_result
from tests.commands.stories import PARTIES, attempt_of, charged, topped_up
from tests.commands.test_fees_and_discounts import PAID_WITH_TAX, TAXED_LEGS, Rows, opposite

INVOICED_BY_CHANNEL: Rows = {("sys:5010:card_simulator:eur", "D", 36), ("sys:2510:card_simulator:eur", "C", 36)}


@pytest.fixture
def channels_invoice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every channel settles the whole of what it took, and invoices its fee."""
    terms = tuple(replace(channel, invoices_fee=True) for channel in CHANNELS)
    monkeypatch.setattr("commands.policies.fees.CHANNELS", terms)


INVOICING: dict[str, tuple[tuple[Happening, ...], Rows]] = {
    "a sale": (
        PAID_WITH_TAX,
        {("sys:1110:card_simulator:eur", "D", 6_000), *TAXED_LEGS, *INVOICED_BY_CHANNEL},
    ),
    "a sale that is revoked": (
        (*PAID_WITH_TAX, revoke, void_result(1, changed(6_000))),
        opposite({("sys:1110:card_simulator:eur", "D", 6_000), *TAXED_LEGS, *INVOICED_BY_CHANNEL}),
    ),
    "a success that nobody waits for": (
        (*PAID_WITH_TAX, attempt_of("pay_1", charged(reference="ch_2"))),
        {
            ("sys:1110:card_simulator:eur", "D", 6_000),
            ("sys:2310:card_simulator:eur", "C", 6_000),
            *INVOICED_BY_CHANNEL,
        },
    ),
    "a top-up": (
        (*PARTIES, *topped_up(6_000)),
        {("sys:1110:card_simulator:eur", "D", 6_000), ("sys:2010:ann:eur", "C", 6_000), *INVOICED_BY_CHANNEL},
    ),
}


@pytest.mark.usefixtures("channels_invoice")
@pytest.mark.parametrize("row", INVOICING)
def test_a_fee_that_a_channel_invoices_is_payable_to_it(row: str) -> None:
    story, postings = INVOICING[row]
    entries = [postings_of(recorded.event) for recorded in given(*story).log if entry_for(recorded.event) is not None]
    assert postings in entries
