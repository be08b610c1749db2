"""Merchants: who is paid, and on which terms."""

import re
from datetime import datetime

from commands.books import Books
from commands.channel_facts import LARGEST_ORDER
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.chart import AGENCY_PAY
from ledger.currencies import ASSETS
from ledger.errors import CurrencyUnknown, FieldInvalid, IdExistsDifferent, MerchantUnknown
from ledger.events.merchants import AfterSaleTerms, FeeTerms, MerchantCreated, SettlementTerms, merchant_stream
from ledger.money import BASIS_POINTS, LARGEST

# An id becomes one segment of the ids of system accounts: no colon, and short enough for all of them.
_PARTY_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,47}")


MOST_DAYS = 1_000


class CreateMerchant(Command, frozen=True):
    """Serve a merchant; `id` is the caller's or a fresh one. The fixed fee is in the settlement currency."""

    id: str
    name: str
    fee: FeeTerms
    settlement_currency: str
    metadata: dict[str, str] = {}
    settlement: SettlementTerms = SettlementTerms()
    after_sale: AfterSaleTerms = AfterSaleTerms()


class MerchantReceipt(Receipt):
    """The merchant as recorded."""

    id: str = ""
    name: str = ""
    fee: FeeTerms = FeeTerms(0, 0)
    settlement_currency: str = ""
    metadata: dict[str, str] = {}
    settlement: SettlementTerms = SettlementTerms()
    after_sale: AfterSaleTerms = AfterSaleTerms()
    created_at: datetime | None = None


def check_party_id(name: str) -> None:
    """An id that a caller may choose for a merchant or a customer; raises FieldInvalid."""
    if not _PARTY_ID.fullmatch(name):
        raise FieldInvalid("An id is 1 to 48 of a-z 0-9 _ . -, beginning with a letter or digit.", pointer="/id")


def check_fee_terms(terms: FeeTerms, pointer: str) -> None:
    """Raises FieldInvalid."""
    if not 0 <= terms.percent_bps <= BASIS_POINTS:
        raise FieldInvalid("A share is 0 to 10000 ten-thousandths.", pointer=f"{pointer}/percent_bps")
    if not 0 <= terms.fixed <= LARGEST:
        raise FieldInvalid("A fixed fee is not negative.", pointer=f"{pointer}/fixed")
    if not 0 <= terms.tax_bps <= BASIS_POINTS:
        raise FieldInvalid("A share is 0 to 10000 ten-thousandths.", pointer=f"{pointer}/tax_bps")


def merchant_named(books: Books, name: str) -> MerchantCreated:
    """The merchant that a request names; raises MerchantUnknown."""
    history = books.history(merchant_stream(name))
    if not history:
        raise MerchantUnknown(pointer="/merchant", merchant=name)
    created = history[0]
    if not isinstance(created, MerchantCreated):
        raise AssertionError(f"{name} does not begin with its creation: {created}")
    return created


def after_sale_terms(books: Books, name: str, product: str) -> AfterSaleTerms:
    """What was agreed with a merchant about what comes after a sale; the safe terms for who is no merchant."""
    if product == AGENCY_PAY:
        return AfterSaleTerms()  # It is the name of a principal.
    history = books.history(merchant_stream(name))
    created = history[0] if history else None
    return created.after_sale if isinstance(created, MerchantCreated) else AfterSaleTerms()


def create(books: Books, command: CreateMerchant, envelope: Envelope) -> Decision:
    check_party_id(command.id)
    if command.settlement_currency not in ASSETS:
        raise CurrencyUnknown(pointer="/settlement_currency")
    check_fee_terms(command.fee, "/fee")
    _check_settlement(command.settlement)
    _check_after_sale(command.after_sale)
    if books.recorded(merchant_stream(command.id)):
        raise IdExistsDifferent(f"There is a merchant {command.id} already.", pointer="/id", merchant=command.id)
    created = MerchantCreated(
        command.id,
        command.name,
        command.fee,
        command.settlement_currency,
        command.metadata,
        command.settlement,
        command.after_sale,
    )
    receipt = MerchantReceipt(
        id=command.id,
        name=command.name,
        fee=command.fee,
        settlement_currency=command.settlement_currency,
        metadata=command.metadata,
        settlement=command.settlement,
        after_sale=command.after_sale,
        created_at=books.now,
    )
    return Decision([(merchant_stream(command.id), created)], receipt)


def _check_settlement(terms: SettlementTerms) -> None:
    if not 0 <= terms.days <= MOST_DAYS or not 0 <= terms.reserve_days <= MOST_DAYS:
        raise FieldInvalid(f"Funds wait for 0 to {MOST_DAYS} days.", pointer="/settlement/days")
    if not 0 <= terms.reserve_bps <= BASIS_POINTS:
        raise FieldInvalid("A share is 0 to 10000 ten-thousandths.", pointer="/settlement/reserve_bps")
    if not 0 <= terms.payout_fee <= LARGEST or not 0 <= (terms.approve_above or 0) <= LARGEST:
        raise FieldInvalid("A sum is not negative.", pointer="/settlement/payout_fee")


def _check_after_sale(terms: AfterSaleTerms) -> None:
    if not 0 <= terms.dispute_fee <= LARGEST_ORDER:
        raise FieldInvalid("A sum is not negative.", pointer="/after_sale/dispute_fee")
    if terms.dispute_liability not in ("merchant", "platform"):
        raise FieldInvalid("The merchant or the platform is liable.", pointer="/after_sale/dispute_liability")
    if terms.late_success not in ("accept", "refund"):
        raise FieldInvalid("What comes late is for accept or refund.", pointer="/after_sale/late_success")


def _needs(command: CreateMerchant) -> Needs:
    return Needs(streams=(merchant_stream(command.id),))


DECIDERS: dict[type[Command], Decider] = {CreateMerchant: Decider(create, _needs)}
