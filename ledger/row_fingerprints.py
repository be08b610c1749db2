"""Row fingerprints: what a row of a report is known by, in whichever file it comes again.

Made of what a channel or a bank never says differently of the same movement; where nothing tells two rows of one file
apart, they are two movements, the first and the second of their kind, and in the next file the same again.
"""

from collections import Counter
from hashlib import sha256

from ledger.report_row import ReportRow

_LENGTH = 32


class RowFingerprints:
    """Gives the rows of one file their fingerprints, in its order."""

    def __init__(self, source: str, account: str) -> None:
        self._source, self._account = source, account
        self._seen: Counter[str] = Counter()

    def __call__(self, row: ReportRow) -> str:
        """32 hexadecimal digits."""
        said = "\x1f".join(
            (
                self._source,
                self._account,
                row.account,
                row.kind,
                row.external_id,
                row.our_reference,
                row.entry_id,
                row.about,
                str(row.gross),
                row.currency,
                str(row.net),
                row.net_currency,
                "" if row.at is None else row.at.isoformat(),
                "" if row.value_date is None else row.value_date.isoformat(),
                row.bank_reference,
                row.batch,
                # A bank may say nothing else of a movement. What a channel's free text says may change.
                "" if row.external_id else row.text,
            )
        )
        digest = sha256(said.encode()).hexdigest()[:_LENGTH]
        self._seen[digest] += 1
        if self._seen[digest] == 1:
            return digest
        return sha256(f"{digest}\x1f{self._seen[digest]}".encode()).hexdigest()[:_LENGTH]
