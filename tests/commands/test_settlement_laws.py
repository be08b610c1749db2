"""Settlement laws: whatever a channel reports, a bank shows and people undo, in any order, the books agree with it.

Histories of payments go on while their items are settled, wrongly or rightly, undone, offset, paid and unpaid.
"""

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import given as sampled
from hypothesis import strategies as st

from commands.bank_lines import SuspendBankLine, UndoBankLine
from commands.envelope import Command
from commands.settlement_batches import RoundBatch, SettleBatchRow, UndoBatchRow
from commands.settlements import CloseClaim, OffsetItems
from ledger.chart import settlement_pending
from ledger.events.settlements import BatchPaid, batch_stream
from ledger.payment_state import fold
from tests.commands.given import Story
from tests.commands.histories import beginning, next_happening
from tests.commands.settlement_stories import bank_line, by_batch, cleared, items_of, line, place, undo
from tests.commands.stories import CHANNEL
from tests.commands.test_receivable_items import SubLedger

_BATCHES = ("one", "two", "Three 3")


def _pending(story: Story, batch: str) -> int:
    return story.balance(settlement_pending(CHANNEL, "EUR", batch))


def reconciling(chance: Random, story: Story) -> Command | None:
    """Something that a run, or a person who looks at its breaks, may do now."""
    items = items_of(story)
    batch, number = chance.choice(_BATCHES), chance.randint(1, 5)
    batch_rows: list[Command] = [
        SettleBatchRow(CHANNEL, "EUR", batch, chance.choice(("fee", "reserve", "suspense")), -75, place(number)),
        RoundBatch(CHANNEL, "EUR", batch, chance.choice((-2, 1, 600)), place(number)),
        UndoBatchRow(CHANNEL, "EUR", batch, place(number)),
    ]
    fee = chance.choice((0, 0, 14))
    key = f"stmt/{chance.randint(1, 3)}"
    at_bank: list[Command] = [
        cleared(_pending(story, batch) - fee, by_batch(batch, bank_fee=fee), key),
        cleared(chance.choice((1, -1)), by_batch(batch), key),
        SuspendBankLine(bank_line(chance.choice((5, -5)), key)),
        UndoBankLine("main", key),
    ]
    if not items:
        return chance.choice([*batch_rows, *at_bank])
    item = chance.choice(items)
    opposite = [one for one in items if one.is_open and one.net == -item.net]
    other = chance.choice(opposite or items)
    told = {
        "gross": item.gross + chance.choice((0, 0, 0, 1, -2, 700)),
        "fee": item.fee + chance.choice((0, 0, 1, -1, 90, -90)),
        "bears": chance.choice(("", "", "merchant", "platform")),
        "batch": batch,
    }
    of_items: list[Command] = [line(item, **told), line(item, **told), line(item, **told), undo(item)]
    of_items += [OffsetItems(item.id, other.id), CloseClaim(item.id, None, chance.choice(("", batch)))]
    return chance.choice(chance.choice((of_items, of_items, of_items, batch_rows, at_bank)))


def tell(chance: Random, steps: int) -> Story:
    """A history with its reconciliation; the law is looked at after each event of it."""
    story, ledger, seen = Story(), SubLedger(), 0
    story.given(*beginning(chance))
    for _ in range(steps):
        happening = (
            next_happening(chance, fold(story.stream("pay_1"))) if chance.random() < 0.5 else reconciling(chance, story)
        )
        if isinstance(happening, Command):
            story.when(happening)
        elif happening is not None:
            story.given(happening)
        for recorded in story.log[seen:]:
            ledger.take(recorded)
            ledger.check(f"after {recorded.event}")
        seen = len(story.log)
        _check_batches(story)
    return story


def _check_batches(story: Story) -> None:
    """What was paid stands at exactly 0."""
    for batch in _BATCHES:
        history = story.stream(batch_stream(CHANNEL, "EUR", batch))
        if history and isinstance(history[-1].event, BatchPaid):
            assert _pending(story, batch) == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@sampled(st.randoms(use_true_random=False), st.integers(1, 50))
def test_the_sub_ledger_is_the_receivable_whatever_is_reconciled(chance: Random, steps: int) -> None:
    tell(chance, steps)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@sampled(st.randoms(use_true_random=False), st.integers(1, 40))
def test_what_is_undone_leaves_every_balance_as_it_was(chance: Random, steps: int) -> None:
    story = tell(chance, steps)
    before = story.balances()
    for item in items_of(story):
        if item.is_open and story.when(line(item, batch="undone", fee=item.fee + chance.choice((0, 1, 90)))).decision:
            story.given(undo(item))
    assert story.balances() == before


def test_a_history_reaches_what_it_is_about() -> None:
    """Else the laws above could hold of nothing."""
    topics = {recorded.event.topic for seed in range(60) for recorded in tell(Random(seed), 60).log}
    assert topics >= {
        "settlements.line_settled.v1",
        "settlements.line_unsettled.v1",
        "settlements.difference_tolerated.v1",
        "settlements.items_offset.v1",
        "settlements.claim_closed.v1",
        "settlements.batch_row_settled.v1",
        "settlements.batch_row_undone.v1",
        "settlements.fraction_rounded.v1",
        "settlements.fraction_undone.v1",
        "settlements.batch_paid.v1",
        "settlements.batch_unpaid.v1",
        "bank_lines.cleared.v1",
        "bank_lines.reopened.v1",
        "bank_lines.suspended.v1",
        "bank_lines.recognized.v1",
    }
