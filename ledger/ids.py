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
REPAYMENT = "rep_"
QUOTE = "fxq_"
COIN_MOVE = "coin_"
PAYOUT = "po_"
WALLET_TRANSFER = "wtr_"
FREEZE = "frz_"
SHARE = "shr_"
PRINCIPAL = "pri_"
FUNDING = "fnd_"
FLOAT_FEED = "flt_"
SWEEP = "swp_"
CONTRACT = "con_"
PAYMENT_METHOD = "pm_"
CAPTURE = "cap_"
VOID = "void_"
INCREMENT = "inc_"
CONFIRMATION = "cfm_"
CLOSING = "close_"
DISPUTE = "dis_"
DISPUTE_ANSWER = "ans_"
RECEIPT_RETURN = "ret_"
SIGNING = "sig_"
CONTRACT_UPDATE = "upd_"
ENDING = "end_"
REVIEW = "rev_"
MERCHANT = "mer_"
CUSTOMER = "cus_"
ACCOUNT = "acc_"
WEBHOOK_ENDPOINT = "whe_"
REPORT_FILE = "file_"
RECONCILIATION_RUN = "run_"
BREAK = "brk_"
CORRELATION = "cor_"
ACCESS = "acs_"
APPROVAL = "apr_"

# What is recorded in the stream of something else carries that one's digits and a number: `ref_0193…-2` is the second
# refund of `pay_0193…`.
_PARENTS = {
    REFUND: PAYMENT,
    CAPTURE: PAYMENT,
    VOID: PAYMENT,
    INCREMENT: PAYMENT,
    CONFIRMATION: PAYMENT,
    CLOSING: PAYMENT,
    DISPUTE: PAYMENT,
    DISPUTE_ANSWER: PAYMENT,
    RECEIPT_RETURN: PAYMENT,
    REVIEW: PAYMENT,
    SHARE: PAYMENT,
    SIGNING: CONTRACT,
    CONTRACT_UPDATE: CONTRACT,
    ENDING: CONTRACT,
}

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


def child_id(prefix: str, parent: str, number: int) -> str:
    """The id of the n-th thing of its kind in the stream of a parent: `child_id(REFUND, "pay_0193…", 2)`."""
    digits = parent.removeprefix(_PARENTS[prefix])
    return f"{prefix}{digits}-{number}"


def stream_of(subject: str) -> str:
    """The stream that a subject of ours is recorded in: a refund's is its payment's, an attempt's its order's.

    Empty where it is no id of such a kind; what begins a stream itself (`po_…`) is its own.
    """
    prefix = subject[: subject.find("_") + 1]
    if prefix in (PAYOUT, CONTRACT, PAYMENT_METHOD) and "-" not in subject:
        return subject
    parent, dash, number = subject.rpartition("-")
    if not (prefix and dash and number.isascii() and number.isdigit()):
        return ""
    return _PARENTS.get(prefix, prefix) + parent.removeprefix(prefix)
