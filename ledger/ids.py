"""Identifiers: a prefix that says what it is, and 128 bits that sort by time.

The layout is that of UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. Time-ordered ids keep
the primary-key index append-only, which random ids do not.
"""

import os
import time

ENTRY = "ent_"
HOLD = "hold_"
PAYMENT = "pay_"
REFUND = "ref_"
TOP_UP = "top_"
MERCHANT = "mer_"
CUSTOMER = "cus_"
ACCOUNT = "acc_"
CORRELATION = "cor_"

_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
_RANDOM_BITS = (0xFFF << 64) | ((1 << 62) - 1)


# Randomness that was read ahead: reading it for each id would give the interpreter away to another thread each time. A
# copy of this process must not use it too.
_spare: list[int] = []
_READ_AHEAD = 256
os.register_at_fork(after_in_child=_spare.clear)


def new_id(prefix: str) -> str:
    """A fresh id such as `ent_0193…`; unique without coordination."""
    while True:
        try:
            return f"{prefix}{_now() | _spare.pop():032x}"
        except IndexError:
            _spare.extend(_random_bits(_READ_AHEAD))


def new_ids(prefix: str, count: int) -> list[str]:
    """`count` fresh ids of one millisecond from one read of the system's randomness, in ascending order."""
    top = _now()
    return [f"{prefix}{top | bits:032x}" for bits in sorted(_random_bits(count))]


def _now() -> int:
    return (time.time_ns() // 1_000_000 << 80) | _VERSION_AND_VARIANT


def _random_bits(count: int) -> list[int]:
    random = os.urandom(10 * count)
    return [int.from_bytes(random[at : at + 10], "big") & _RANDOM_BITS for at in range(0, 10 * count, 10)]
