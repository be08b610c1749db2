"""Reconciliation: how much may differ, how long something may wait, and what one person may decide; data."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone

from msgspec.structs import replace

from commands.policies.settlements import DEFAULT
from ledger.currencies import asset_of
from ledger.events.approvals import ApprovalPolicyChanged
from ledger.events.breaks import BreakOpened
from ledger.journal import Direction, Posting
from ledger.matching.policy import EVERY_DAY, Policy, Tolerance

ONE_PERSON_MAY = 100
"""Up to so many whole units of a currency may be decided by the person that proposed it."""
_WORTH_MORE: dict[str, int] = {"BTC": 0, "BCH": 0, "ETH": 0, "LTC": 1}
"""Fewer of these, of which one is worth hundreds of others."""

_CHINA = timezone(timedelta(hours=8))
# What is tolerated in a line is what its settlement tolerates, and so is the sum of a day.
_OF_CHANNELS = Policy(
    amount=Tolerance(DEFAULT.amount),
    fee=Tolerance(DEFAULT.fee),
    tolerated_at_most=DEFAULT.amount_per_day,
    wait_days=3,
    calendar=EVERY_DAY,
)
_OF_CHINA = replace(_OF_CHANNELS, zone=_CHINA)
_OF_BANKS = Policy(wait_days=3)
_POLICIES: dict[str, Policy] = {
    "stripe": _OF_CHANNELS,
    "adyen": _OF_CHANNELS,
    "paypal": _OF_CHANNELS,
    "channel_csv": _OF_CHANNELS,
    "alipay": _OF_CHINA,
    "wechatpay": _OF_CHINA,
    # Banks tell days and not times, and count business days.
    "camt053": _OF_BANKS,
    "mt940": _OF_BANKS,
    "bai2": _OF_BANKS,
}


def is_bank(source: str) -> bool:
    """Whether it tells of our accounts at a bank; the others tell of what a channel owes us."""
    return _POLICIES[source] is _OF_BANKS


def policy_of(source: str) -> Policy:
    """What holds for reports of this source."""
    return _POLICIES[source]


def end_of_day(source: str, day: date) -> datetime:
    """When a day of this source is over, in the zone in which it counts its days."""
    return datetime.combine(day + timedelta(days=1), time(), policy_of(source).zone)


def needs_four_eyes(
    opened: BreakOpened, postings: Sequence[Posting], policy: ApprovalPolicyChanged | None = None
) -> bool:
    """Whether somebody else has to approve it: what is at risk, or what would be moved, is above the limit.

    What a resolution posts is an entry by hand: the policy of the book makes the limit stricter, and never milder.
    """
    at_stake: dict[str, int] = {opened.currency: opened.at_risk}
    for currency in {posting.currency for posting in postings}:
        moved = sum(one.amount for one in postings if one.currency == currency and one.direction == Direction.DEBIT)
        at_stake[currency] = max(moved, at_stake.get(currency, 0))
    entries = None if policy is None else policy.entries
    return any(
        amount > (limit_of(currency) if entries is None else min(limit_of(currency), entries.get(currency, 0)))
        for currency, amount in at_stake.items()
    )


def limit_of(currency: str) -> int:
    """In minor units, what one person may decide."""
    whole_unit: int = 10 ** asset_of(currency).exponent
    return _WORTH_MORE.get(currency, ONE_PERSON_MAY) * whole_unit
