"""Histories: whatever may happen to payments, at random, and what the books must say after each event of it.

`Watch` takes nothing from the books that decide: it adds up the log by itself, so it checks a replay as well.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from random import Random

from commands.cancellations import CancelPayment
from commands.changes import RecordChangeResult
from commands.channels.channel import PENDING, ActionRequired, Declined, NotFound, NotSent, Unknown, Verdict
from commands.closings import RecordClosingResult
from commands.confirmations import ConfirmPayment, RecordConfirmationResult
from commands.disputes import AcceptDispute, ChallengeDispute
from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.merchants import CreateMerchant
from commands.receipts import AcceptReceipt, RecordReturnResult, ReturnReceipt
from commands.refunds import RecordRefundResult
from commands.returned_refunds import ResolveRefund
from commands.shares import ReturnShare, SharePayment
from ledger import payment_state
from ledger.authorization import UNDER_WAY
from ledger.chart import code_of
from ledger.dispute import STAGES, STATUSES, TAKEN
from ledger.events.authorizations import PaymentCapturedFromWallet
from ledger.events.event import Recorded
from ledger.events.merchants import FeeTerms
from ledger.events.payments import PaymentCaptured, PaymentPaidFromWallet
from ledger.events.refunds import RefundPaidToWallet, RefundSucceeded
from ledger.events.voids import PaymentRevoked
from ledger.payment import FAILED_AFTER_SUCCESS, PROCESSING, REQUIRES_ACTION, UNKNOWN, Payment
from ledger.payment_state import fold
from ledger.posting_rules import movements_for
from ledger.receipt import RETURNING
from tests.commands.dispute_stories import EVIDENCE, parties, returned, word
from tests.commands.given import NOON, Happening, Story
from tests.commands.held import (
    CHANGE_DECLINED,
    authorized,
    cancel,
    capture,
    capture_result,
    changed,
    expire,
    extend,
    held_by_card,
    held_in_wallet,
    increment,
    increment_result,
    revoke,
    void_result,
)
from tests.commands.product_stories import mixed
from tests.commands.stories import (
    CHANNEL,
    DECLINED,
    REFUND_DECLINED,
    attempt_of,
    by_card,
    charged,
    from_wallet,
    refund,
    refund_result,
    refunded,
    topped_up,
)

AMOUNT = 6_000
_AMOUNTS = (1, 500, 1_999, 2_000, 4_000, 5_999, AMOUNT)
_SILENCES: tuple[Verdict, ...] = (Unknown("ReadTimeout"), PENDING, NotFound(), NotSent("ConnectError"))
_GONE = Declined("session_expired", "closed", "Closed.", hard=False)
Step = Callable[[Random], Happening]

# --- what may happen --------------------------------------------------------------------------------------------------


def beginning(chance: Random) -> list[Happening]:
    """Merchants with terms of any kind, a customer with a wallet, and an order of any kind."""
    terms = {
        "dispute_fee": chance.choice((0, 700)),
        "dispute_liability": chance.choice(("merchant", "platform")),
        "late_success": chance.choice(("refund", "accept")),
        "returns_fee": chance.choice((False, True)),
    }
    order = chance.choice(
        (by_card(), by_card(), held_by_card(), held_by_card(), mixed(), from_wallet(), held_in_wallet())
    )
    designer = CreateMerchant("designer", "Designer", FeeTerms(0, 0), "EUR")
    return [*parties(**terms), designer, *topped_up(10_000), order]


def _amount(chance: Random) -> int:
    return chance.choice(_AMOUNTS)


def _attempt(chance: Random) -> Command:
    said: tuple[Verdict, ...] = (
        charged(chance.choice((AMOUNT, AMOUNT, 4_000, 1)), chance.choice(("ch_1", "ch_1", "ch_2"))),
        charged(),
        authorized(chance.choice((AMOUNT, AMOUNT, 4_000))),
        DECLINED,
        _GONE,
        ActionRequired("ch_1", "sms_code"),
        chance.choice(_SILENCES),
    )
    return attempt_of("pay_1", chance.choice(said))


def _change(chance: Random) -> Verdict:
    return chance.choice((changed(_amount(chance), f"ca_{chance.randint(1, 4)}"), CHANGE_DECLINED, *_SILENCES[:3]))


def _refund_word(chance: Random) -> Verdict:
    reference = f"re_{chance.randint(1, 4)}"
    return chance.choice(
        (
            refunded(_amount(chance), reference),
            refunded(_amount(chance), reference),
            returned(_amount(chance), reference),
            REFUND_DECLINED,
            *_SILENCES[:2],
        )
    )


def _dispute_word(chance: Random) -> Command:
    return word(
        chance.choice(("opened", "opened", "opened", "challenged", "expired", "accepted", "canceled", "lost", "won")),
        chance.choice(STAGES),
        chance.choice((AMOUNT, AMOUNT, 2_000)),
        chance.choice(("EUR", "EUR", "EUR", "USD")),
        chance.choice((0, 0, 1_500)),
        chance.choice(("dp_1", "dp_1", "dp_2")),
    )


def _release(chance: Random) -> Command:
    return ReleaseFunds(chance.choice(("acme", "designer")), "EUR", _amount(chance), 0, 1_000_000)


_STEPS: tuple[Step, ...] = (
    _attempt,
    _attempt,
    _attempt,
    lambda chance: capture(chance.choice((None, *_AMOUNTS)), final=chance.choice((False, True))),
    lambda chance: capture_result(chance.randint(1, 3), _change(chance)),
    lambda chance: capture_result(chance.randint(1, 2), changed(AMOUNT)),
    lambda chance: void_result(chance.randint(1, 2), chance.choice((changed(AMOUNT, "vo_1"), _change(chance)))),
    lambda chance: increment_result(1, _change(chance)),
    lambda chance: chance.choice((increment(500), extend, cancel, expire, revoke)),
    lambda chance: chance.choice((ConfirmPayment("pay_1", "123456"), CancelPayment("pay_1"))),
    lambda chance: RecordConfirmationResult("cfm_1-1", CHANNEL, chance.choice((charged(), DECLINED, *_SILENCES))),
    lambda chance: RecordClosingResult("close_1-1", CHANNEL, chance.choice((changed(AMOUNT), CHANGE_DECLINED))),
    lambda chance: refund(chance.choice((None, *_AMOUNTS))),
    lambda chance: refund(chance.choice((None, *_AMOUNTS))),
    lambda chance: refund_result(chance.randint(1, 3), _refund_word(chance)),
    lambda chance: refund_result(chance.randint(1, 2), _refund_word(chance)),
    lambda chance: ResolveRefund(
        f"ref_1-{chance.randint(1, 2)}", "bank_transfer" if chance.random() < 0.5 else "return_to_merchant"
    ),
    _dispute_word,
    _dispute_word,
    lambda chance: chance.choice((AcceptDispute("dis_1-1"), ChallengeDispute("dis_1-1", EVIDENCE))),
    lambda chance: RecordReturnResult(f"ret_1-{chance.randint(1, 2)}", CHANNEL, _refund_word(chance)),
    lambda chance: chance.choice((AcceptReceipt("pay_1", 1), ReturnReceipt("pay_1", 1))),
    lambda chance: SharePayment("pay_1", "designer", _amount(chance)),
    lambda chance: ReturnShare("pay_1", "shr_1-1", chance.choice((None, 500))),
    _release,
    lambda chance: NOON + timedelta(days=chance.choice((0, 1, 8, 11))),
)


def next_happening(chance: Random, payment: Payment | None) -> Happening:
    """As often an answer to what a channel was asked for as anything else that anybody may say or ask."""
    answers = [] if payment is None or chance.random() < 0.5 else _answers(chance, payment)
    return chance.choice(answers) if answers else chance.choice(_STEPS)(chance)


def _answers(chance: Random, payment: Payment) -> list[Command]:
    """What channels may say about what they were asked for, over the sums that it was about."""
    found: list[Command] = []
    for attempt in payment.attempts:
        if attempt.status in (PROCESSING, UNKNOWN, REQUIRES_ACTION):
            over = attempt.amount
            found.append(attempt_of("pay_1", chance.choice((charged(over), authorized(over), DECLINED))))
    for capture_ in payment.captures:
        if capture_.status == UNDER_WAY:
            name = f"ca_{capture_.id}"
            said = chance.choice((changed(capture_.amount, name), changed(capture_.amount, name), CHANGE_DECLINED))
            found.append(RecordChangeResult(capture_.id, CHANNEL, said))
    changes = [(one.id, one.amount, one.status) for one in payment.voids]
    changes += [(one.id, one.amount, one.status) for one in payment.increments]
    for name, amount, status in changes:
        if status == UNDER_WAY:
            said = chance.choice((changed(amount, f"ch_{name}"), CHANGE_DECLINED))
            found.append(RecordChangeResult(name, CHANNEL, said))
    for refund_ in payment.refunds:
        name = f"re_{refund_.id}"
        if refund_.channel is not None and refund_.status == PROCESSING:
            done = refunded(refund_.by_channel, name)
            found.append(RecordRefundResult(refund_.id, CHANNEL, chance.choice((done, done, REFUND_DECLINED))))
        elif refund_.channel is not None:
            found.append(RecordRefundResult(refund_.id, CHANNEL, returned(refund_.by_channel, name)))
    for receipt in payment.receipts:
        if receipt.back:
            said_back = (refunded(receipt.amount, f"re_{receipt.back}"), returned(receipt.amount), REFUND_DECLINED)
            found.append(RecordReturnResult(receipt.back, CHANNEL, chance.choice(said_back)))
    for dispute in payment.disputes if chance.random() < 0.4 else ():
        status = chance.choice(STATUSES[1:])
        stage = chance.choice((dispute.stage, *STAGES))
        found.append(word(status, stage, dispute.amount, dispute.currency, reference=dispute.reference))
    return found


# --- what must hold ---------------------------------------------------------------------------------------------------


class Watch:
    """Adds up a log event by event, and looks at everything after each of them. Amounts in minor units."""

    def __init__(self) -> None:
        self.seen = 0
        self.balances: defaultdict[str, int] = defaultdict(int)
        self._currencies: dict[str, str] = {}
        self._payments: dict[str, Payment] = {}
        self._captured = self._fees_taken = self._fees_back = 0

    def look(self, story: Story) -> None:
        """Take in what was recorded since the last look."""
        for recorded in story.log[self.seen :]:
            self._take(recorded)
            self._check(recorded)
        self.seen = len(story.log)

    def _take(self, recorded: Recorded) -> None:
        event = recorded.event
        for move in movements_for(event):
            self.balances[move.account] += move.debit - move.credit
            self._currencies[move.account] = move.currency
        if type(event) in payment_state.EVENTS:
            known = self._payments.get(recorded.stream)
            self._payments[recorded.stream] = payment_state.evolve(known, recorded)
        match event:
            case PaymentCaptured() | PaymentCapturedFromWallet() | PaymentPaidFromWallet():
                self._captured += event.amount + (event.from_wallet if isinstance(event, PaymentCaptured) else 0)
                self._fees_taken += event.fee
            case PaymentRevoked():
                self._captured -= event.amount
                self._fees_taken -= event.fee
            case RefundSucceeded() | RefundPaidToWallet():
                self._fees_back += 0 if event.returned is None else event.returned.amount

    def sum_of(self, *codes: str, currency: str = "EUR") -> int:
        """The debit balance of all accounts with these codes."""
        return sum(
            balance
            for name, balance in self.balances.items()
            if code_of(name).number in codes and self._currencies[name] == currency
        )

    def _check(self, recorded: Recorded) -> None:
        payments = list(self._payments.values())
        said = f"after {recorded.event}"
        # 1: every unit for itself.
        for currency in set(self._currencies.values()):
            whole = sum(balance for name, balance in self.balances.items() if self._currencies[name] == currency)
            assert whole == 0, said
        # 3: each sub-ledger is its control account.
        assert -self.sum_of("2210") == sum(_on_its_way_back(payment) for payment in payments), said
        disputed = sum(one.share.borne for payment in payments for one in payment.disputes if one.money == TAKEN)
        assert self.sum_of("1230") == -self.sum_of("2140") == disputed, said
        held = [(payment, payment.authorization) for payment in payments]
        by_channel = sum(one.open for _, one in held if one is not None and one.channel is not None)
        assert self.sum_of("9010") == -self.sum_of("9019") == by_channel, said
        in_wallets = sum(one.open for _, one in held if one is not None and one.channel is None)
        assert -self.sum_of("2020") == in_wallets + sum(payment.frozen for payment in payments), said
        kept = sum(one.amount for payment in payments for one in payment.receipts if one.status == "kept")
        assert -self.sum_of("2310") == kept, said
        # 5: nobody's money is below nothing.
        for name, balance in self.balances.items():
            assert not code_of(name).never_negative or _normal(name, balance) >= 0, said
        # 6: what clients are owed is covered, but for what merchants owe us, what is in suspense, and our own result.
        covered = self.sum_of("1020", "1110", "1120", "1130", "1140", "1230")
        owed = -self.sum_of("2010", "2020", "2110", "2120", "2130", "2140", "2210", "2220", "2230", "2235", "2310")
        result = -self.sum_of("4010", "4020", "5010", "5020", "5030")
        assert covered == owed + result - self.sum_of("1210") - self.sum_of("1910"), said
        # 7: per payment.
        for payment in payments:
            assert payment.captured == self._captured, said
            assert 0 <= payment.refunded <= payment.captured, said
            assert payment.refundable >= 0, said
            assert payment.shared >= 0, said
        assert 0 <= self._fees_back <= max(0, self._fees_taken), said

    def agrees_with(self, story: Story) -> None:
        """2: a replay of all events gives the same balances."""
        replayed = {name: _normal(name, balance) for name, balance in self.balances.items() if balance}
        assert replayed == story.balances()


def _normal(account: str, debit_balance: int) -> int:
    return debit_balance if code_of(account).kind in ("asset", "expense", "memo") else -debit_balance


def _on_its_way_back(payment: Payment) -> int:
    refunds = sum(one.amount for one in payment.refunds if one.status == PROCESSING)
    # The part of a mixed payment that went into the wallet has arrived.
    again = sum(one.by_channel for one in payment.refunds if one.status == FAILED_AFTER_SUCCESS)
    return refunds + again + sum(one.amount for one in payment.receipts if one.status == RETURNING)


def tell(chance: Random, steps: int) -> Story:
    """One history; what is refused has no effect."""
    story, watch = Story(), Watch()
    story.given(*beginning(chance))
    watch.look(story)
    for _ in range(steps):
        happening = next_happening(chance, fold(story.stream("pay_1")))
        if isinstance(happening, Command):
            length = len(story.log)
            outcome = story.when(happening)
            assert outcome.refusal is None or len(story.log) == length
        else:
            story.given(happening)
        watch.look(story)
    watch.agrees_with(story)
    return story
