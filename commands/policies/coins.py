"""Coins: which are taken, after how many confirmations, and how long a price in coins is good; as data."""

import msgspec

from ledger.errors import CoinNotSupported, FieldMissing, Refusal
from ledger.events.payments import Method


class CoinTerms(msgspec.Struct, frozen=True):
    """One coin. A payment counts once its transaction lies under so many blocks."""

    coin: str
    confirmations: int


COINS: dict[str, CoinTerms] = {
    terms.coin: terms
    for terms in (
        CoinTerms("BTC", 2),
        CoinTerms("BCH", 6),
        CoinTerms("LTC", 6),
        CoinTerms("ETH", 12),
        CoinTerms("USDC", 12),
        CoinTerms("USDT", 12),
    )
}


def coin_objections(method: Method) -> list[Refusal]:
    """What the method lacks or what is not taken."""
    coin = method.details.get("coin")
    if coin is None:
        return [FieldMissing("It has to be said which coin.", pointer="/method/coin")]
    if coin not in COINS:
        return [CoinNotSupported(pointer="/method/coin", coin=coin, supported=list(COINS))]
    return []
