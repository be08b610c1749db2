"""Deciders: every kind of command and who decides it."""

from commands import accounts, customers, entries, holds, merchants, payments, periods, refunds, top_ups, transfers
from commands.envelope import Command
from commands.handler import Decider

DECIDERS: dict[type[Command], Decider] = (
    accounts.DECIDERS
    | transfers.DECIDERS
    | entries.DECIDERS
    | holds.DECIDERS
    | periods.DECIDERS
    | merchants.DECIDERS
    | customers.DECIDERS
    | top_ups.DECIDERS
    | payments.DECIDERS
    | refunds.DECIDERS
)
