"""Postings: every posting, with what had been posted to its account up to and with it; read by `past_postings`."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from struct import Struct

from ledger.events.transfers import TransferPosted
from ledger.journal import Direction
from ledger.posting_rules import effective_at
from ledger.posting_rules.versions import OURS, PostingRules
from projections.projection import LIVE, Page, Projection, Target, Writing

_COPY = """
COPY {postings} (account, position, leg, is_debit, amount, posted_debits, posted_credits, effective_at, recorded_at)
FROM STDIN (FORMAT BINARY)
"""
# The binary form spares the database the parsing of numbers and times. Each value stands behind its length in bytes;
# times are microseconds since 2000.
_COPY_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_COLUMNS_AND_LENGTH = Struct(">hi").pack
_BEHIND_THE_ACCOUNT = Struct(">iqihi?iqiqiqiqiq").pack
_YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_TURNOVER = """
SELECT wanted.account, last.posted_debits, last.posted_credits
  FROM unnest(%b::text[]) AS wanted (account)
 CROSS JOIN LATERAL (
       SELECT posted_debits, posted_credits FROM {postings} AS p
        WHERE p.account = wanted.account ORDER BY position DESC, leg DESC LIMIT 1) AS last
"""


class Postings(Projection):
    """Every posting with the account's turnover after it."""

    name = "postings"
    version = 1
    tables = growing = ("postings",)

    # Beyond this many accounts the memory is emptied and grows anew: about 60 MB.
    MOST_ACCOUNTS_REMEMBERED = 200_000

    def __init__(self, book: str, target: Target = LIVE, rules: PostingRules = OURS) -> None:
        """`rules`: other ones than ours, to see what they would have posted."""
        super().__init__(book, target)
        self._entry_for = rules.entry_for
        # Whether transfers are spared the general way: they are, where nobody has another rule for them.
        self._are_plain = TransferPosted not in rules.others
        self._copy = self.statement(_COPY)
        self._last_turnover = self.statement(_LAST_TURNOVER)
        # account -> [posted debits, posted credits] after its last posting, minor units
        self._turnover: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._knows_all = False

    def forget(self) -> None:
        self._turnover.clear()
        self._knows_all = False

    def project(self, page: Page, cursor: Writing) -> None:
        if page[0].position == 1:
            self.forget()
            self._knows_all = True  # There is nothing in the table that could be read.
        elif len(self._turnover) > self.MOST_ACCOUNTS_REMEMBERED:
            self.forget()
        if not self._knows_all:
            self._recall(page, cursor)
        if rows := self._rows(page):
            with cursor.copy(self._copy) as sink:
                sink.write(b"".join([_COPY_BEGIN, *rows, _COPY_END]))

    def _recall(self, page: Page, cursor: Writing) -> None:
        """Read the turnover of the accounts that are not remembered."""
        accounts: set[str] = set()
        for recorded in page:
            event = recorded.event
            if type(event) is TransferPosted and self._are_plain:
                accounts.add(event.debit_account)
                accounts.add(event.credit_account)
            elif entry := self._entry_for(event):
                accounts.update(posting.account for posting in entry.postings)
        wanted = sorted(accounts - self._turnover.keys())
        if wanted:
            rows = cursor.execute(self._last_turnover, (wanted,), binary=True).fetchall()
            self._turnover |= {account: [debits, credits_] for account, debits, credits_ in rows}

    def _rows(self, page: Page) -> list[bytes]:
        """The rows as COPY reads them, each of them in two pieces."""
        rows: list[bytes] = []
        turnover = self._turnover
        last_time, recorded_at = None, 0

        def add(account: str, leg: int, is_debit: bool, amount: int) -> None:
            sides = turnover[account]
            sides[not is_debit] += amount
            debits, credits_ = sides
            name = account.encode()
            rows.append(_COLUMNS_AND_LENGTH(9, len(name)) + name)
            behind = (8, position, 2, leg, 1, is_debit, 8, amount, 8, debits, 8, credits_, 8, effect, 8, recorded_at)
            rows.append(_BEHIND_THE_ACCOUNT(*behind))

        for recorded in page:
            event, position = recorded.event, recorded.position
            if recorded.recorded_at != last_time:  # A batch has one time: it is reckoned once.
                last_time = recorded.recorded_at
                recorded_at = _microseconds(last_time)
            if type(event) is TransferPosted and self._are_plain:
                # The commonest event by far, spared the general way.
                effect = recorded_at if event.effective_at is None else _microseconds(event.effective_at)
                add(event.debit_account, 0, True, event.amount)
                add(event.credit_account, 1, False, event.amount)
            elif entry := self._entry_for(event):
                effect = _microseconds(effective_at(event, recorded.recorded_at))
                for leg, posting in enumerate(entry.postings):
                    add(posting.account, leg, posting.direction == Direction.DEBIT, posting.amount)
        return rows


def _microseconds(time: datetime) -> int:
    return (time - _YEAR_2000) // _MICROSECOND
