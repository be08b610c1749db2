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


def new_id(prefix: str) -> str:
    """A fresh id such as `ent_0193…`; unique without coordination."""
    return new_ids(prefix, 1)[0]


def new_ids(prefix: str, count: int) -> list[str]:
    """`count` fresh ids of one millisecond from one read of the system's randomness, in ascending order."""
    top = (time.time_ns() // 1_000_000 << 80) | _VERSION_AND_VARIANT
    random = os.urandom(10 * count)
    numbers = sorted(
        int.from_bytes(random[start : start + 10], "big") & _RANDOM_BITS for start in range(0, 10 * count, 10)
    )
    return [f"{prefix}{top | number:032x}" for number in numbers]
