"""Deciders: every kind of command and who decides it."""

from commands import accounts, entries, holds, periods, transfers
from commands.envelope import Command
from commands.handler import Decider

DECIDERS: dict[type[Command], Decider] = (
    accounts.DECIDERS | transfers.DECIDERS | entries.DECIDERS | holds.DECIDERS | periods.DECIDERS
)
