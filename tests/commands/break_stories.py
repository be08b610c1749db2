"""What the stories about breaks are made of: rows of a report that do not agree, and what people do about them."""

from typing import Any

from commands.breaks import ApproveResolution, AssignBreak, OpenBreak, ProposeResolution, RejectResolution, ReopenBreak
from ledger.break_state import Break, BreakView, fold, view_of
from ledger.events.breaks import BreakOpened, BreakRow
from ledger.receivable_item import ReceivableItem
from tests.commands.given import Story, given
from tests.commands.settlement_stories import BATCH, FILE, item_of
from tests.commands.stories import CHANNEL, PAID_BY_CARD

NAME = "brk_3f7a1c9e5b2d8046f1e7c3a95d0b4826"
ANN, BEN = "key_ann", "key_ben"
RUN = "run_1"


def row(gross: int, fee: int = 0, /, **changed: Any) -> BreakRow:
    """A row of the channel's file."""
    told: dict[str, Any] = {
        "file": FILE,
        "number": 1,
        "fingerprint": "print-1",
        "kind": "sale",
        "gross": gross,
        "fee": fee,
        "currency": "EUR",
        "external_id": "ch_1",
        "our_reference": "pay_1-1",
        "batch": BATCH,
    }
    return BreakRow(**{**told, **changed})


def broken(kind: str, *rows: BreakRow, items: tuple[ReceivableItem | str, ...] = (), **changed: Any) -> BreakOpened:
    """What a run finds of these rows and items."""
    known = [item for item in items if isinstance(item, ReceivableItem)]
    ours, theirs = sum(item.gross for item in known), sum(one.gross for one in rows)
    told: dict[str, Any] = {
        "id": NAME,
        "run": RUN,
        "source": "channel_csv",
        "account": CHANNEL,
        "type": kind,
        "side": "both" if rows and items else "theirs" if rows else "ours",
        "kind": rows[0].kind if rows else known[0].kind,
        "currency": "EUR",
        "ours": ours,
        "theirs": theirs,
        "at_risk": max(abs(ours), abs(theirs)) if not (rows and known) else abs(ours - theirs),
        "rows": rows,
        "items": tuple(item if isinstance(item, str) else item.id for item in items),
    }
    return BreakOpened(**{**told, **changed})


def at_bank(amount: int, **changed: Any) -> BreakOpened:
    """A line of the bank's statement that nobody knows."""
    kind = "credit" if amount > 0 else "debit"
    line = row(amount, 0, kind=kind, fingerprint="stmt-1/1", our_reference="", external_id="", batch="")
    told = {"source": "mt940", "account": "main", **changed}
    return broken(f"bank_{kind}_unknown", line, **told)


def found(opened: BreakOpened, known_at: int = 0) -> OpenBreak:
    return OpenBreak(opened, known_at)


def propose(resolution: str, **parameters: str) -> ProposeResolution:
    return ProposeResolution(NAME, resolution, parameters, "looked into it")


APPROVE = ApproveResolution(NAME)
REJECT = RejectResolution(NAME, "not so")
REOPEN = ReopenBreak(NAME, "it is not")
ASSIGN = AssignBreak(NAME, "ann")


def resolved(story: Story, resolution: str, **parameters: str) -> Story:
    """Proposed by one person, and approved by another."""
    story.by(ANN).given(propose(resolution, **parameters))
    return story.by(BEN).given(APPROVE)


def state(story: Story) -> Break:
    told = fold(story.stream(NAME))
    assert told is not None
    return told


def shown_break(story: Story) -> BreakView:
    return view_of(state(story))


def paid_break(kind: str = "amount_ours_more", gross: int = 5_800, fee: int = 36) -> Story:
    """A sale of 60.00, of which the channel says something else."""
    story = given(*PAID_BY_CARD)
    return story.given(found(broken(kind, row(gross, fee), items=(item_of(story, "sale"),))))


def stranger(gross: int = 7_000, fee: int = 70, **changed: Any) -> Story:
    """A row that names nothing of ours."""
    told = {"our_reference": "order-77", "external_id": "ch_77", **changed}
    return given(*PAID_BY_CARD).given(found(broken("missing_here", row(gross, fee, **told))))
