"""Payouts: which channel pays them, and above which amount a second person has to agree."""

import msgspec

from commands.policies.channels import CHANNELS, ChannelTerms
from ledger.currencies import asset_of
from ledger.errors import ChannelUnavailable, FieldInvalid, FieldMissing, Refusal
from ledger.events.payouts import PRINCIPAL, Destination

# Where nothing else is agreed: above so many whole units of the currency.
APPROVE_ABOVE_UNITS = 10_000
BANK_ACCOUNT = "bank_account"
VAULTED = "token"
DESTINATIONS = (BANK_ACCOUNT, VAULTED)
ENTITIES = ("individual", "company")


class PayoutRoute(msgspec.Struct, frozen=True):
    """The channel that pays it, whether out of a float of ours, and why this one."""

    channel: str
    prefunded: bool
    because: str


def route_payout(source: str, currency: str, channels: tuple[ChannelTerms, ...] = CHANNELS) -> PayoutRoute:
    """Agency pay is paid out of a float that is fed before; all else from our bank. Raises ChannelUnavailable."""
    prefunded = source == PRINCIPAL
    payers = [
        terms
        for terms in channels
        if terms.payouts and terms.prefunded == prefunded and (not terms.currencies or currency in terms.currencies)
    ]
    if not payers:
        raise ChannelUnavailable("No channel pays this out at the moment.")
    kind = "out of a float" if prefunded else "from our bank"
    many = len(payers) > 1
    because = f"the first of {len(payers)} that pay {kind}" if many else f"the only channel that pays {kind}"
    return PayoutRoute(payers[0].name, prefunded, because)


def approve_above(stated: int | None, currency: str) -> int:
    """Above how many minor units a payout needs a second person: as agreed, else as the house has it."""
    return APPROVE_ABOVE_UNITS * 10 ** asset_of(currency).exponent if stated is None else stated


def objections_to(destination: Destination) -> list[Refusal]:
    """Everything about the destination that no channel takes, so that a caller hears of all of it at once."""
    found: list[Refusal] = []
    if destination.type not in DESTINATIONS:
        words = f"A destination is one of {', '.join(DESTINATIONS)}."
        found.append(FieldInvalid(words, pointer="/destination/type"))
    if destination.entity not in ENTITIES:
        words = f"A receiver is one of {', '.join(ENTITIES)}."
        found.append(FieldInvalid(words, pointer="/destination/entity"))
    if destination.type == BANK_ACCOUNT and not destination.account_number:
        found.append(FieldMissing("A bank account has a number.", pointer="/destination/account_number"))
    if destination.type == BANK_ACCOUNT and not destination.name:
        found.append(FieldMissing("A bank account has a holder.", pointer="/destination/name"))
    if destination.type == VAULTED and not destination.token:
        found.append(FieldMissing("A token is named.", pointer="/destination/token"))
    return found
