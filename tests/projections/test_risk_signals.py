"""Risk signals: what is counted in a window that slides is what a plain list of the same events says, at any moment."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.events.disputes import DisputeMoved
from ledger.events.event import Event, Metadata, Recorded
from ledger.events.payments import (
    Method,
    PaymentCaptured,
    PaymentCreated,
    PaymentFailed,
    PaymentPaidFromWallet,
)
from ledger.events.refunds import RefundPaidToWallet
from ledger.risk_keys import HISTORY, KINDS, VELOCITIES, WINDOWS, Place
from ledger.store.connection import Database
from projections.risk_signals import MEDIAN_OF, Asked, Moment, RiskSignals, tell
from tests.projections.reading import Reader, reading

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
CURRENCIES = ("EUR", "USD")
_EDGES = sorted(
    {edge for window in WINDOWS.values() for edge in (window - TICK, window, window + TICK)} | {timedelta(0), TICK}
)
gaps = st.sampled_from(_EDGES) | st.integers(0, 3_600).map(lambda seconds: timedelta(seconds=seconds))
_NUMBERS = count(1)
_POSITIONS = count(1)


class Step(NamedTuple):
    """What happens after a while: a payment is created, or something becomes of one of those before."""

    gap: timedelta
    what: str
    who: int
    amount: int
    currency: str


steps = st.lists(
    st.builds(
        Step,
        gaps,
        st.sampled_from(("attempts", "attempts", "declines", "successes", "refunds", "disputes", "words")),
        st.integers(0, 3),
        st.integers(1, 10_000),
        st.sampled_from(CURRENCIES),
    ),
    min_size=1,
    max_size=25,
)


class Mark(NamedTuple):
    """One counted event of one key, as a plain list holds it."""

    kind: str
    key: str
    what: str
    at: datetime
    position: int
    amount: int
    currency: str


class History:
    """A few payments of payers that nobody else has, projected page by page, and a plain list of what was counted."""

    def __init__(self, page_size: int) -> None:
        self.run, self.page_size = next(_NUMBERS), page_size
        self.now = NEW_YEAR
        self.marks: list[Mark] = []
        self.log: list[Recorded] = []
        self._created: list[PaymentCreated] = []
        self._paid: set[str] = set()

    def keys(self, who: int) -> dict[str, str]:
        """Two cards and two devices of two customers behind one address, and everything else in common."""
        made = {"card": who, "customer": who // 2, "device": who % 2}
        return {kind: f"{kind}{made.get(kind, '')}-{self.run}" for kind in KINDS} | {
            "ip": f"2001:db8::{self.run:x}",
            "bin": f"{self.run:06d}",
        }

    def tell(self, step: Step) -> None:
        self.now += step.gap
        if step.what == "attempts" or not self._created:
            self._create(step)
            return
        created = self._created[step.amount % len(self._created)]
        event, amount = _outcome(step, created)
        if step.what == "successes":
            if created.id in self._paid:
                self._record(created, event, "", 0)
                return
            self._paid.add(created.id)
        # What else is said of a dispute is the same dispute.
        self._record(created, event, "" if step.what == "words" else step.what, amount)

    def _create(self, step: Step) -> None:
        keys = self.keys(step.who)
        method = Method("card", keys["card"], {"fingerprint": keys["fingerprint"], "bin": keys["bin"]})
        client = {"ip": keys["ip"], "device": keys["device"], "email": keys["email"].upper()}
        created = PaymentCreated(
            id=f"pay_{self.run}x{len(self._created)}",
            merchant="acme",
            customer=keys["customer"],
            amount=step.amount,
            currency=step.currency,
            product="quick_pay",
            method=method,
            order_reference="order",
            fee=0,
            client=client,
            metadata={"who": str(step.who)},
        )
        self._created.append(created)
        self._record(created, created, "attempts", step.amount)

    def _record(self, created: PaymentCreated, event: Event, what: str, amount: int) -> None:
        position = next(_POSITIONS)
        self.log.append(Recorded(created.id, 1, position, self.now, event, Metadata("tests")))
        if what:
            for kind, key in self.keys(int(created.metadata["who"])).items():
                self.marks.append(Mark(kind, key, what, self.now, position, amount, created.currency))

    def pages(self) -> Iterator[list[Recorded]]:
        for first in range(0, len(self.log), self.page_size):
            yield self.log[first : first + self.page_size]

    def expected(self, name: str, who: int, currency: str, moment: Moment) -> int:
        kind = VELOCITIES[name].kind if name in VELOCITIES else "customer"
        what = VELOCITIES[name].what if name in VELOCITIES else HISTORY[name]
        since = moment.at - WINDOWS[VELOCITIES[name].window] if name in VELOCITIES else NEW_YEAR - TICK
        found = [
            mark
            for mark in self.marks
            if (mark.kind, mark.key, mark.what) == (kind, self.keys(who)[kind], what)
            and since < mark.at <= moment.at
            and mark.position <= moment.position
        ]
        if name in VELOCITIES and VELOCITIES[name].is_sum:
            return sum(mark.amount for mark in found if mark.currency == currency)
        return len(found)


def _outcome(step: Step, created: PaymentCreated) -> tuple[Event, int]:
    attempt, amount, currency = f"{created.id}-1", created.amount, created.currency
    match step.what:
        case "declines":
            return PaymentFailed("insufficient_funds"), amount
        case "refunds":
            refund = RefundPaidToWallet("ref_1", created.id, "acme", "ann", step.amount, currency, 0, "back")
            return refund, step.amount
        case "disputes":
            return _said_of_dispute(created, "dispute", "opened"), amount
        case "words":
            stage, status = (("pre_dispute", "opened"), ("dispute", "lost"))[step.amount % 2]
            return _said_of_dispute(created, stage, status), amount
        case _ if step.amount % 2:
            return PaymentCaptured(attempt, "channel", "ch", "acme", created.product, amount, currency, 0, 0), amount
    return PaymentPaidFromWallet("ann", "acme", created.product, amount, currency, 0), amount


def _said_of_dispute(created: PaymentCreated, stage: str, status: str) -> DisputeMoved:
    about = ("dis_1", created.id, f"{created.id}-1", "acme", "channel", "dp_1")
    return DisputeMoved(*about, stage, status, created.amount, created.currency)


def project(database: Database, book: str, history: History) -> None:
    view = RiskSignals(book)
    with database.connect() as connection, connection.cursor() as cursor:
        for page in history.pages():
            view.project(page, cursor)


names = st.lists(st.sampled_from([*VELOCITIES, *HISTORY]), min_size=1, max_size=12, unique=True)


def test_windows_slide_exactly(database: Database, book: str) -> None:
    with reading(database, book) as reader:

        @settings(max_examples=60, deadline=None)
        @given(steps, st.integers(1, 7), names, gaps, st.integers(0, 3), st.data())
        def law(told: list[Step], page: int, asked: list[str], later: timedelta, who: int, data: st.DataObject) -> None:
            history = History(page)
            for step in told:
                history.tell(step)
            project(database, book, history)
            currency = data.draw(st.sampled_from(CURRENCIES))
            looked_at = data.draw(st.sampled_from(history.log))
            moments = (
                Moment(history.now + later),
                Moment(looked_at.recorded_at + later),
                Moment(looked_at.recorded_at, looked_at.position),
                Moment(history.now, looked_at.position - 1),
            )
            for moment in moments:
                (found,) = reader.ask(tell, [Asked(moment, currency, keys=history.keys(who), counts=asked)])
                assert found.counts == {name: history.expected(name, who, currency, moment) for name in asked}
            together = [Asked(moment, currency, "", history.keys(who), asked) for moment in moments for who in range(4)]
            assert reader.ask(tell, together) == [told for one in together for told in reader.ask(tell, [one])]

        law()


def test_the_median_is_that_of_the_last_successes_in_the_currency(database: Database, book: str) -> None:
    history = History(50)
    for amount in range(1, MEDIAN_OF + 42):
        history.tell(Step(timedelta(seconds=1), "attempts", 0, amount, "EUR"))
        created = history._created[-1]
        history._record(created, _outcome(Step(TICK, "successes", 0, amount, "EUR"), created)[0], "successes", amount)
    project(database, book, history)
    customer = history.keys(0)["customer"]
    with reading(database, book) as reader:
        now, early = Moment(history.now), Moment(NEW_YEAR + timedelta(seconds=3))
        wanted = ((now, "EUR", customer), (now, "USD", customer), (now, "EUR", "nobody"), (early, "EUR", customer))
        asked = [Asked(*one, median=True) for one in wanted]
        assert [told.median for told in reader.ask(tell, asked)] == [41 + MEDIAN_OF // 2, 0, 0, 2]


def test_the_last_place_is_the_one_before_the_moment(database: Database, book: str) -> None:
    history = History(3)
    somewhere = {"latitude": "-33.868820", "longitude": "151.2093"}
    for number, client in enumerate(({"country": "de"}, somewhere, {"ip": "203.0.113.9"}, {"country": "?"})):
        name = f"pay_{history.run}p{number}"
        created = PaymentCreated(
            name, "acme", "ann", 1, "EUR", "quick_pay", Method("card"), "order", 0, client=client, metadata={"who": "0"}
        )
        history.now += timedelta(minutes=1)
        history._record(created, created, "", 0)
    project(database, book, history)
    with reading(database, book) as reader:
        moments = (NEW_YEAR, NEW_YEAR + timedelta(seconds=119), history.now)
        asked = [Asked(Moment(at), "EUR", "ann", last_place=True) for at in moments]
        assert [told.last_place for told in reader.ask(tell, asked)] == [
            None,
            (Place("DE"), NEW_YEAR + timedelta(minutes=1)),
            (Place("", -33_868_820, 151_209_300), NEW_YEAR + timedelta(minutes=2)),
        ]


def test_trouble_of_the_channel_is_no_decline(database: Database, book: str) -> None:
    history = History(9)
    for group in ("try_again", "configuration", "insufficient_funds"):
        history.tell(Step(TICK, "attempts", 0, 5, "EUR"))
        history._record(history._created[-1], PaymentFailed(group), "", 0)
    project(database, book, history)
    with reading(database, book) as reader:
        found = ask(reader, history, "card_declines_1h", "ip_attempts_1h")
    assert found == {"card_declines_1h": 1, "ip_attempts_1h": 3}


def ask(reader: Reader, history: History, *asked: str) -> dict[str, int]:
    (told,) = reader.ask(tell, [Asked(Moment(history.now), "EUR", keys=history.keys(0), counts=asked)])
    return told.counts
