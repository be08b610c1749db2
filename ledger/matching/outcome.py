"""Outcome: what a comparison came to; each row and each item is in exactly one state of it."""

import hashlib
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Literal, get_args

import msgspec
from msgspec import Struct

FoundBy = Literal["exact_id", "reference", "window", "batch", "group", "standing"]
"""The pass: (a) its id, (b) our reference, (c) amount, window and party, (d) one line for a batch or a sum, (e) several
for one or for several, or a row that needs nothing beside it."""

BreakType = Literal[
    "missing_here",
    "missing_there",
    "amount_ours_less",
    "amount_ours_more",
    "status_behind",
    "status_ahead",
    "fee",
    "currency",
    "split",
    "duplicate",
    "payout_not_at_bank",
    "bank_credit_unknown",
    "bank_debit_unknown",
    "chargeback_without_dispute",
    "unknown_kind",
    "never_posted",
]
BREAK_TYPES: tuple[str, ...] = get_args(BreakType)

SettledState = Literal["matched", "waiting", "broken", "duplicate", "quiet"]
"""quiet: an item of which the report rightly says nothing: it failed, it need not be told, or has its row already."""


class Difference(Struct, frozen=True, gc=False):
    """Something that differs within its tolerance, in minor units."""

    what: Literal["amount", "fee"]
    ours: int
    theirs: int


class Match(Struct, frozen=True, gc=False, omit_defaults=True):
    """Rows and items that are the same money."""

    rows: tuple[str, ...]
    items: tuple[str, ...]
    found_by: FoundBy
    differences: tuple[Difference, ...] = ()
    evidence: tuple[str, ...] = ()
    """Items of which we did not know how they ended, and that have succeeded by this."""


class Proposal(Struct, frozen=True, gc=False):
    """The posting row that would resolve a break, with the amounts by their letters in the table of postings."""

    row: str
    amounts: dict[str, int]
    currency: str
    then: str = ""
    """What is posted after it: the row's own line."""


class Break(Struct, frozen=True, gc=False, omit_defaults=True):
    """Something that does not agree. Amounts are sums of gross in minor units; of a batch, of net."""

    type: BreakType
    side: Literal["ours", "theirs", "both"]
    """Who knows of it."""
    rows: tuple[str, ...]
    items: tuple[str, ...]
    kind: str
    currency: str
    ours: int
    theirs: int
    at_risk: int
    """How much money may be lost by it; never below 0."""
    their_currency: str = ""
    """Where it is another one."""
    related: tuple[str, ...] = ()
    """Items that it speaks of, and that are settled otherwise."""
    since: date | None = None
    """The day of what is oldest in it."""
    proposal: Proposal | None = None
    """None: a person decides."""

    @property
    def key(self) -> str:
        """The same in each run, as long as it is of the same type and about the same rows and items."""
        told = msgspec.json.encode((self.type, self.rows, self.items))
        return hashlib.sha256(told).hexdigest()[:32]


class Suggestion(Struct, frozen=True, gc=False):
    """A row and an item that are alike, for people: `score` is of 100."""

    row: str
    item: str
    score: int


class Duplicate(Struct, frozen=True, gc=False):
    """A row that says again what another one has said; nothing is posted."""

    row: str
    of: str


class Rounding(Struct, frozen=True):
    """Fees told finer than the minor unit, of one batch: what its rows round to, and what all come to (K5)."""

    batch: str
    currency: str
    rows: int
    exact: Decimal
    rounded: int
    """The sum of the rows' own roundings: what their lines post."""
    is_complete: bool
    """Whether each row of the batch is matched; the rounding is posted then, once."""

    @property
    def deducted(self) -> int:
        """What the channel keeps: the sum, rounded once, a half away from zero."""
        return int(self.exact.quantize(Decimal(1), "ROUND_HALF_UP"))

    @property
    def difference(self) -> int:
        """What goes to rounding (K5): above 0 the channel keeps more than the lines post."""
        return self.deducted - self.rounded


class Total(Struct, frozen=True):
    """How many, and how much, of one side is in one state."""

    side: Literal["rows", "items"]
    state: SettledState
    currency: str
    count: int
    gross: int
    fee: int


class Outcome(Struct, frozen=True, dict=True):
    """What a comparison came to, each list in an order that does not depend on that of the input."""

    matches: tuple[Match, ...]
    waiting_rows: tuple[str, ...]
    waiting_items: tuple[str, ...]
    breaks: tuple[Break, ...]
    duplicates: tuple[Duplicate, ...]
    suggestions: tuple[Suggestion, ...]
    roundings: tuple[Rounding, ...]
    totals: tuple[Total, ...]

    @cached_property
    def output_hash(self) -> str:
        """SHA-256 over everything above, in hexadecimal digits."""
        digest = hashlib.sha256()
        encoder = msgspec.json.Encoder(order="deterministic")
        for name in self.__struct_fields__:
            digest.update(b"#" + name.encode() + b"\n")
            for one in getattr(self, name):
                digest.update(encoder.encode(one) + b"\n")
        return digest.hexdigest()
