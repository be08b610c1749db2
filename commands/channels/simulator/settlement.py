"""Settlement: the file of a day: one row for each time money moved at the channel, in the order in which it did.

type         charge, capture, void, refund, refund_returned, dispute, dispute_reversed, payout, payout_returned
id           ours: of the attempt, capture, void, refund or payout; of a dispute the channel's
charge_id    our attempt that it is about, empty for a payout
             (payouts are paid from our float or our bank account, not from what the channel owes us for charges)
gross        what the channel owes us more, minor units; below 0 what it took
fee          what it keeps, minor units; below 0 what it gives back of that
net          gross − fee
occurred_at  ISO 8601, UTC
settles_on   the day on which the channel pays it, or takes it, UTC
"""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from commands.channels.simulator.operations import Movement, iso, moment

COLUMNS = ("type", "id", "charge_id", "reference", "gross", "fee", "net", "currency", "occurred_at", "settles_on")


def bounds(day: date) -> tuple[int, int]:
    """The day in UTC as Unix milliseconds, its end not included."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return _ms(start), _ms(start + timedelta(days=1))


def written(movements: Iterable[Movement], settles_after_days: int) -> str:
    """The file: CSV with a header line, RFC 4180."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for one in movements:
        net = one.gross - one.fee
        settles_on = moment(one.at_ms).date() + timedelta(days=settles_after_days)
        about = (one.type, one.id, one.charge, one.reference)
        rows.writerow([*about, one.gross, one.fee, net, one.currency, iso(one.at_ms), settles_on])
    return out.getvalue()


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1_000
