"""Assets: every unit of account that money may be counted in, with the number of digits of its minor unit.

Currencies and exponents follow ISO 4217 (list one, January 2026); precious metals, baskets, the test code XTS and
the no-currency code XXX have no minor unit and are not assets here. Coins use the exponent of their own protocol where
64 bits leave room for it, else 8. A channel's deviating exponents live with the channel, never here.
"""

from dataclasses import dataclass

from ledger.errors import CurrencyUnknown


@dataclass(frozen=True, slots=True)
class Asset:
    """A unit of account: one whole unit is 10^exponent minor units."""

    code: str
    exponent: int


_CODES_BY_EXPONENT: dict[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
        "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
        "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
        "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
        "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
        "USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_COINS: dict[str, int] = {"BTC": 8, "BCH": 8, "LTC": 8, "ETH": 8, "USDC": 6, "USDT": 6}
_POINTS: dict[str, int] = {"PTS": 0}

ASSETS: dict[str, Asset] = {
    code: Asset(code, exponent) for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()
} | {code: Asset(code, exponent) for code, exponent in (_COINS | _POINTS).items()}


def asset_of(code: str) -> Asset:
    """The asset with this code, written as ISO 4217 writes it; raises CurrencyUnknown."""
    asset = ASSETS.get(code)
    if asset is None:
        raise CurrencyUnknown(pointer="/currency")
    return asset
