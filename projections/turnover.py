"""Turnover: both sides of an account, and a place in the order of effect up to which they are asked for."""

from datetime import datetime
from typing import NamedTuple


class Turnover(NamedTuple):
    """Both sides of an account, in minor units."""

    debits: int = 0
    credits: int = 0


class Place(NamedTuple):
    """A posting's place in the order of effect; with position 0 the beginning of the moment."""

    moment: datetime
    position: int = 0
    leg: int = 0
