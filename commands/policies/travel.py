"""Travel: how far two places are from each other in whole kilometres, and how fast somebody would have had to be.

A place is known by its coordinates in millionths of a degree, or else stands at the middle of its country.
"""

from datetime import datetime
from math import asin, cos, radians, sin, sqrt

from commands.policies.country_middles import MIDDLES
from ledger.risk_keys import Place

_RADIUS_KM = 6_371
_MICRO = 1_000_000
NOT_KNOWN = -1


def distance_km(one: Place, other: Place) -> int:
    """Along the surface of the earth; NOT_KNOWN where one of them cannot be placed.

    Two places in one country of which one is not known better are taken for the same.
    """
    if one.country and one.country == other.country and (one.latitude is None or other.latitude is None):
        return 0
    here, there = _coordinates(one), _coordinates(other)
    if here is None or there is None:
        return NOT_KNOWN
    (north, east), (other_north, other_east) = here, there
    half_north = sin((other_north - north) / 2)
    half_east = sin((other_east - east) / 2)
    chord = half_north * half_north + cos(north) * cos(other_north) * half_east * half_east
    return round(2 * _RADIUS_KM * asin(sqrt(min(1.0, chord))))


def speed_kmh(kilometres: int, then: datetime, now: datetime) -> int:
    """Whole kilometres an hour between two moments, the shortest time being a second; NOT_KNOWN for no distance."""
    if kilometres == NOT_KNOWN:
        return NOT_KNOWN
    return kilometres * 3_600 // max(1, int((now - then).total_seconds()))


def _coordinates(place: Place) -> tuple[float, float] | None:
    """Radians north and east."""
    if place.latitude is not None and place.longitude is not None:
        return radians(place.latitude / _MICRO), radians(place.longitude / _MICRO)
    middle = MIDDLES.get(place.country)
    return None if middle is None else (radians(middle[0]), radians(middle[1]))
