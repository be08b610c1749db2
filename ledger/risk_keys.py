"""Risk keys: by which values a payment is known again (card, customer, address, …), and what is counted of each.

Both sides use these words: the write side asks for signals by their names, a view answers.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import msgspec

from ledger.events.payments import Method, PaymentCreated

# What payments are counted by. `card` is the token that stands for one, `fingerprint` the same card under any token.
KINDS = ("card", "fingerprint", "customer", "device", "ip", "bin", "email")
# Those of them that say something of a person: they are counted by marks, from which nobody learns them.
MARKED = frozenset({"fingerprint", "device", "ip", "email"})
# What a list may hold beside these.
COUNTRY = "country"
LISTED_KINDS = (*KINDS, COUNTRY)

ATTEMPTS, DECLINES, SUCCESSES, REFUNDS, DISPUTES = "attempts", "declines", "successes", "refunds", "disputes"
COUNTED = (ATTEMPTS, DECLINES, SUCCESSES)
WINDOWS = {
    "1m": timedelta(minutes=1),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}

_LONGEST_VALUE = 200
_BIN = re.compile(r"[0-9]{6,8}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_MICRO = 1_000_000


class Velocity(msgspec.Struct, frozen=True):
    """How many, or how much in minor units (`is_sum`), of one kind of event for one key in a window that ends now."""

    kind: str
    what: str
    window: str
    is_sum: bool


VELOCITIES: dict[str, Velocity] = {
    f"{kind}_{what}_{window}{'_sum' if is_sum else ''}": Velocity(kind, what, window, is_sum)
    for kind in KINDS
    for what in COUNTED
    for window in WINDOWS
    for is_sum in (False, True)
}
# How often ever, by customer: signal -> what is counted.
HISTORY: dict[str, str] = {f"customer_{what}": what for what in (ATTEMPTS, DECLINES, SUCCESSES, REFUNDS, DISPUTES)}


class Place(msgspec.Struct, frozen=True):
    """Where somebody was: a country, and where it is known better, millionths of a degree north and east."""

    country: str
    latitude: int | None = None
    longitude: int | None = None


@lru_cache(8_192)  # An address is looked at by whoever asks, decides and counts, and reading one takes a while.
def normal_value(kind: str, value: str) -> str | None:
    """A value as it is compared: None for one that is no value of this kind."""
    text = value.strip()
    match kind:
        case "ip":
            try:
                return str(ipaddress.ip_address(text))
            except ValueError:
                return None
        case "email":
            text = text.lower()
        case "bin":
            return text if _BIN.fullmatch(text) else None
        case "country":
            text = text.upper()
            return text if _COUNTRY.fullmatch(text) else None
    return text if 0 < len(text) <= _LONGEST_VALUE else None


def keys_of(customer: str | None, method: Method, client: Mapping[str, str]) -> dict[str, str]:
    """The value of each kind that the payment has: kind -> value."""
    card = method.token if method.type == "card" else None
    told = {
        "card": card,
        "fingerprint": method.details.get("fingerprint"),
        "customer": customer,
        "device": client.get("device") or method.details.get("device"),
        "ip": client.get("ip"),
        "bin": method.details.get("bin"),
        "email": client.get("email"),
    }
    normal = {kind: normal_value(kind, value) for kind, value in told.items() if value}
    return {kind: value for kind, value in normal.items() if value is not None}


def keys_of_order(created: PaymentCreated) -> dict[str, str]:
    """The value of each kind that a recorded payment has, or its mark, which is what it is counted by."""
    return keys_of(created.customer, created.method, created.client) | created.marks


def countries_of(method: Method, client: Mapping[str, str]) -> tuple[str, ...]:
    """The countries that a payment has to do with: where the payer is, and where the card comes from."""
    told = (client.get(COUNTRY), method.details.get(COUNTRY))
    return tuple(dict.fromkeys(country for value in told if value and (country := normal_value(COUNTRY, value))))


def place_of(client: Mapping[str, str]) -> Place | None:
    """Where the payer says to be, as far as it can be understood."""
    country = normal_value(COUNTRY, client.get(COUNTRY, "")) or ""
    latitude = _micro_degrees(client.get("latitude", ""), 90)
    longitude = _micro_degrees(client.get("longitude", ""), 180)
    if latitude is None or longitude is None:
        return Place(country) if country else None
    return Place(country, latitude, longitude)


def _micro_degrees(text: str, most: int) -> int | None:
    try:
        degrees = Decimal(text)
    except InvalidOperation:
        return None
    if not degrees.is_finite() or abs(degrees) > most:
        return None
    return int(degrees * _MICRO)
