"""The verdict: what the books, the views and the channels say after everything went wrong that could.

Nothing that was acknowledged is lost, nothing is doubled, every currency comes to zero, every view is what the log
makes of it, and every channel agrees payment by payment.
"""

from collections import Counter
from collections.abc import Iterable

from ledger.events.event import Recorded
from ledger.payment import PROCESSING
from ledger.payment_views import payment_view, top_up_view
from ledger.store.connection import Database
from projections.rebuild import rebuild
from projections.register import BY_NAME
from tests.faults.channel_books import UNAPPLIED, differences, read_channels
from tests.faults.load import Told
from tests.writing import check_books, read_log

# What a key stands for: one of these, once.
_EFFECTS = {
    "transfers.posted.v1",
    "holds.placed.v1",
    "holds.captured.v1",
    "holds.released.v1",
    "entries.reversal_posted.v1",
    "payments.created.v1",
    "top_ups.requested.v1",
    "refunds.requested.v1",
    "refunds.paid_to_wallet.v1",
}


def judge_acknowledgements(log: list[Recorded], told: Iterable[Told]) -> None:
    """Each answer for good has exactly the effect that it says."""
    effects = Counter(fact.metadata.key for fact in log if fact.event.topic in _EFFECTS)
    lost, doubled = [], []
    for one in told:
        for key, expected in _expected(one):
            if effects[key] < expected:
                lost.append((key, one.path, one.reply.raw))
            if effects[key] > expected:
                doubled.append((key, one.path, one.reply.raw, effects[key]))
        if one.reply.status < 300 and one.path == "/transfers":
            assert log[one.reply.body["position"] - 1].metadata.key == one.key, one
    assert not lost, f"{len(lost)} acknowledged are lost: {lost[:5]}"
    assert not doubled, f"{len(doubled)} are doubled: {doubled[:5]}"


def _expected(told: Told) -> list[tuple[str, int]]:
    if told.path != "/batches":
        return [(told.key, int(told.reply.status < 300))]
    keys = [item["idempotency_key"] for item in told.body["transfers"]]
    if told.reply.status >= 300:
        return [(key, 0) for key in keys]
    results = told.reply.body["results"]
    return [(key, int(result["status"] != "rejected")) for key, result in zip(keys, results, strict=True)]


def undecided(log: list[Recorded]) -> list[str]:
    """Payments, refunds and top-ups whose outcome the channel has not told yet."""
    streams: dict[str, list[Recorded]] = {}
    for fact in log:
        if fact.stream.startswith(("pay_", "top_")):
            streams.setdefault(fact.stream, []).append(fact)
    found = []
    for stream, history in streams.items():
        if stream.startswith("top_"):
            statuses = [top_up_view(history).status]
        else:
            view = payment_view(history)
            statuses = [view.status, *(refund.status for refund in view.refunds)]
        if PROCESSING in statuses:
            found.append(stream)
    return found


def judge_channels(log: list[Recorded], simulator_url: str) -> None:
    """The books of every channel and ours name the same money, payment by payment, and nothing was done twice."""
    unlike = differences(log, read_channels(simulator_url))
    assert not unlike, unlike
    unapplied = [fact.event for fact in log if isinstance(fact.event, UNAPPLIED)]
    assert not unapplied, "a channel did something twice"


def judge_books(database: Database, book: str) -> list[Recorded]:
    """Balances are what the log alone makes of them, every currency comes to zero; returns the log."""
    with database.connect() as connection:
        return check_books(connection, book)


def judge_views(database: Database, book: str, position: int) -> None:
    """Every view that is rebuilt from the log is the one that is read."""
    for name in BY_NAME:
        report = rebuild(database, book, name)
        assert report.is_equal, report
        assert report.position >= position, report


def log_of(database: Database, book: str) -> list[Recorded]:
    with database.connect() as connection:
        return read_log(connection, book)
