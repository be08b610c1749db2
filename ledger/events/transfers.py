"""Transfers: money moved from one account to another, at once."""

from datetime import datetime
from typing import ClassVar

from ledger.events.event import Event


class TransferPosted(Event, frozen=True, omit_defaults=True):
    """`amount` minor units: debit one account, credit the other. No `effective_at`: it took effect when recorded."""

    topic: ClassVar[str] = "transfers.posted.v1"

    debit_account: str
    credit_account: str
    amount: int
    currency: str
    effective_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}


TransferEvent = TransferPosted
