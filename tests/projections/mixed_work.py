"""Mixed work: a day on which everything happens that some view remembers, of one seed, each name fresh.

Payments by card and from wallets, declined, reviewed and rejected ones, refunds, disputes, payouts, contracts, report
files, settled lines, bank lines, runs and breaks of reconciliation; and a day's work of transfers, holds and reversals.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from commands.bank_lines import ClearBankLine
from commands.breaks import OpenBreak
from commands.channels.channel import DisputeMoved
from commands.contracts import ConfirmContract
from commands.disputes import RecordDisputeWord
from commands.envelope import Command, Part
from commands.payments import CreatePayment, RecordAttemptResult
from commands.payouts import RecordPayoutResult
from commands.periods import ClosePeriod, ReopenPeriod
from commands.reconciliation import RequestReconciliation
from commands.refunds import RecordRefundResult, RequestRefund
from commands.report_imports import FinishReportFile, ReadReportRows, ReceiveReportFile
from commands.reviews import ApproveReview, RejectReview
from commands.risk_lists import PutOnRiskList
from commands.risk_rules import ChangeRiskRules
from commands.settlement_batches import SettleBatchRow
from commands.settlements import SettleLine
from commands.wallets import FreezeWallet
from ledger.events.breaks import BreakOpened, BreakRow
from ledger.events.risk import RiskRule
from ledger.events.settlements import RowPlace
from ledger.ids import REFUND, REVIEW, child_id
from ledger.report_row import RejectedRow, ReportRow
from tests.commands import contract_stories, payout_stories
from tests.commands.settlement_stories import bank_line, by_batch
from tests.commands.stories import CARD, CHANNEL, DECLINED, REFUND_DECLINED, WALLET, charged, refunded
from tests.projections.days_work import DaysWork, open_accounts
from tests.writing import Pen, envelope, part

REVIEWED, REJECTED = 8_000, 9_000
RULES = (
    RiskRule("large", f"amount > {REVIEWED}", "review"),
    RiskRule("too large", f"amount > {REJECTED}", "reject"),
)
_NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
_WRONG = RejectedRow(3, "no amount", "?")
_BATCHES = ("2026-03-15", "2026-03-16")


def begin(held: Pen) -> None:
    """Accounts, parties with money, rules of risk, a contract, something frozen, and what waits for a second person."""
    open_accounts(held)
    opening: Sequence[Command] = (
        *payout_stories.FUNDED,
        ChangeRiskRules(RULES),
        PutOnRiskList("review", "email", "who@example.org", "a question"),
        contract_stories.contract(),
        contract_stories.says(contract_stories.SMS),
        ConfirmContract("con_1", "123456"),
        contract_stories.says(contract_stories.SIGNED),
        FreezeWallet("frz_1", "ann", 100, "EUR", "a question"),
        ClosePeriod("2026-01", "over"),
    )
    for command in opening:
        held.do(command)
    reopen = ReopenPeriod("2026-01", "an invoice")
    (waits,) = held.submit([Part(envelope(command=reopen, person="ann"), reopen)])()
    assert waits.status == 202, waits


class MixedWork:
    """Random commands of one seed; names begin with a word of its own, so that several may work in one book."""

    def __init__(self, held: Pen, seed: int, word: str = "a") -> None:
        self._held, self._random, self._word = held, random.Random(seed), word
        self._days_work = DaysWork(held, seed)
        self._numbers = count(1)
        self._paid: list[tuple[str, int]] = []

    def do(self, rounds: int) -> None:
        """So many of everything that may happen, in batches; some of it is refused, which is nobody's harm."""
        for _ in range(rounds):
            commands = self._random.choice(self._kinds())()
            answers = self._held.submit([part(command) for command in commands])()
            assert not any(answer.error for answer in answers), answers
            self._days_work.do(2)

    def _kinds(self) -> list[Any]:
        sales = [self._sale, self._sale, self._sale, self._from_wallet]
        return [*sales, self._refund, self._dispute, self._payout, self._contract, self._file, self._settled, self._run]

    def _fresh(self, prefix: str) -> str:
        return f"{prefix}{self._word}{next(self._numbers)}"

    def _sale(self) -> list[Command]:
        name, amount = self._fresh("pay_"), self._random.randint(100, 9_500)
        email = f"{self._random.choice(('who', 'ann'))}@example.org"
        client = {"ip": f"203.0.113.{self._random.randint(1, 9)}", "email": email, "country": "DE"}
        order = CreatePayment(name, "acme", amount, "EUR", "quick_pay", CARD, f"of {name}", "ann", client=client)
        review = child_id(REVIEW, name, 1)
        decided = self._random.choice((ApproveReview(review, "looks well"), RejectReview(review, "does not")))
        said = self._random.choice((charged(amount, f"ch_{name}"), charged(amount, f"ch_{name}"), DECLINED))
        if said is not DECLINED:
            self._paid.append((name, amount))
        return [order, decided, RecordAttemptResult(f"{name}-1", CHANNEL, said)]

    def _from_wallet(self) -> list[Command]:
        name = self._fresh("pay_")
        return [CreatePayment(name, "beta", 10, "EUR", "balance_pay", WALLET, f"of {name}", "ann")]

    def _refund(self) -> list[Command]:
        if not self._paid:
            return self._sale()
        name, amount = self._random.choice(self._paid)
        part_of_it = self._random.randint(1, amount)
        refund = child_id(REFUND, name, 1)
        said = self._random.choice((refunded(part_of_it, f"re_{name}"), REFUND_DECLINED))
        return [RequestRefund(name, part_of_it, "returned"), RecordRefundResult(refund, CHANNEL, said)]

    def _dispute(self) -> list[Command]:
        if not self._paid:
            return self._sale()
        name, amount = self._random.choice(self._paid)
        moved = [
            DisputeMoved(f"dp_{name}", f"ch_{name}", "dispute", status, amount, "EUR", 0, "fraudulent", None, _NOW)
            for status in ("opened", self._random.choice(("lost", "won")))
        ]
        return [RecordDisputeWord(f"{name}-1", CHANNEL, one) for one in moved]

    def _payout(self) -> list[Command]:
        name = self._fresh("po_")
        said = self._random.choice((payout_stories.paid_out(20, f"out_{name}"), payout_stories.DECLINED))
        return [payout_stories.withdrawal(name, 20), RecordPayoutResult(name, payout_stories.BANK_PAYER, said)]

    def _contract(self) -> list[Command]:
        name = self._fresh("pay_")
        if self._random.random() < 0.3:
            return [contract_stories.charge(30, name, datetime.now(UTC) + timedelta(days=1))]
        return [contract_stories.charge(30, name), contract_stories.outcome(charged(30, f"ch_{name}"), name)]

    def _file(self) -> list[Command]:
        name, amount = self._fresh("file_"), self._random.randint(100, 999)
        today = datetime.now(UTC).date()
        row = ReportRow(2, "sale", f"txn_{name}", "", amount, "EUR", 36, "EUR", amount - 36, "EUR", value_date=today)
        broken = BreakRow(name, 1, f"print_{name}", "sale", amount, 36, "EUR")
        told = ("run_1", "channel_csv", CHANNEL, "missing_here", "theirs", "sale", "EUR", 0, amount, amount)
        return [
            ReceiveReportFile(name, "channel_csv", CHANNEL, name, 100),
            ReadReportRows(name, "channel_csv", CHANNEL, 1, 1, (row,), (f"print_{name}",), (_WRONG,)),
            FinishReportFile(name, 1, 1, (), (_WRONG,)),
            OpenBreak(BreakOpened(f"brk_{name}", *told, rows=(broken,), since=today)),
        ]

    def _settled(self) -> list[Command]:
        if not self._paid:
            return self._sale()
        name, amount = self._random.choice(self._paid)
        place, batch = RowPlace(self._fresh("file_"), 1, 2, f"txn_{name}"), self._random.choice(_BATCHES)
        return [
            # The item of a sale is named after the event that captured it.
            SettleLine(f"{name}.5", place, "sale", CHANNEL, "EUR", amount, amount * 2 // 100, batch),
            SettleBatchRow(CHANNEL, "EUR", batch, "fee", -5, place),
            ClearBankLine(bank_line(7, self._fresh("stmt-")), by_batch(batch)),
        ]

    def _run(self) -> list[Command]:
        return [RequestReconciliation(self._fresh("run_"), "channel_csv", CHANNEL, datetime.now(UTC).date())]
