"""Break state: how a break stands, folded from its stream.

open ─▶ investigating ─▶ proposed ─▶ resolved | written_off          proposed ─▶ (rejected) investigating
any of them not resolved ─▶ auto_resolved (new evidence)             resolved, auto_resolved ─▶ reopened ─▶ …

What is resolved may go on: what was done is undone, or something follows it, as a claim that is given up at last. While
that is proposed, what was done before stands.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from ledger.events.breaks import (
    BreakAssigned,
    BreakOpened,
    BreakProposed,
    BreakRejected,
    BreakReopened,
    BreakResolved,
    BreakRow,
    BreakSettled,
    SuggestedResolution,
)
from ledger.events.event import Recorded

BreakStatus = Literal["open", "investigating", "proposed", "resolved", "written_off", "auto_resolved", "reopened"]
OPEN: BreakStatus = "open"
INVESTIGATING: BreakStatus = "investigating"
PROPOSED: BreakStatus = "proposed"
RESOLVED: BreakStatus = "resolved"
WRITTEN_OFF: BreakStatus = "written_off"
AUTO_RESOLVED: BreakStatus = "auto_resolved"
REOPENED: BreakStatus = "reopened"
OVER = (RESOLVED, WRITTEN_OFF, AUTO_RESOLVED)

# Resolutions that give the money up.
WRITE_OFFS = frozenset(("give_up_claim", "platform_bears"))
UNDO = "undo"


class Break(msgspec.Struct, frozen=True):
    """All that its stream says; `proposed` is the proposal that waits."""

    opened: BreakOpened
    opened_at: datetime
    position: int
    status: BreakStatus = OPEN
    assignee: str = ""
    proposals: int = 0
    proposed: BreakProposed | None = None
    standing: tuple[BreakProposed, ...] = ()
    """What was carried out and is not undone, in its order."""
    resolved_at: int = 0
    """The position of the last resolution or undoing: what it posted follows there."""
    checker: str = ""

    @property
    def carried_out(self) -> BreakProposed | None:
        """What was carried out last, and stands: this is what an undo takes back."""
        return self.standing[-1] if self.standing else None

    @property
    def is_over(self) -> bool:
        return self.status in OVER


def evolve(found: Break | None, recorded: Recorded) -> Break | None:
    """The break after one more event of its stream."""
    match recorded.event:
        case BreakOpened() as opened:
            return Break(opened, recorded.recorded_at, recorded.position)
    return None if found is None else _moved(replace(found, position=recorded.position), recorded)


def _moved(found: Break, recorded: Recorded) -> Break:
    match recorded.event:
        case BreakAssigned() as assigned:
            status = INVESTIGATING if found.status in (OPEN, REOPENED) else found.status
            return replace(found, status=status, assignee=assigned.assignee)
        case BreakProposed() as proposed:
            return replace(found, status=PROPOSED, proposals=proposed.number, proposed=proposed)
        case BreakRejected():
            return replace(found, status=_status_of(found.standing, INVESTIGATING), proposed=None)
        case BreakResolved(undoes=undone) as resolved:
            done = () if found.proposed is None else (found.proposed,)
            standing = found.standing[:-1] if undone else found.standing + done
            return replace(
                found,
                status=_status_of(standing, REOPENED),
                proposed=None,
                standing=standing,
                resolved_at=recorded.position,
                checker=resolved.checker,
            )
        case BreakSettled():
            return replace(found, status=AUTO_RESOLVED, proposed=None)
        case BreakReopened():
            return replace(found, status=REOPENED, proposed=None, standing=())
    return found


def _status_of(standing: tuple[BreakProposed, ...], otherwise: BreakStatus) -> BreakStatus:
    """By what was done last and stands; otherwise where nothing does."""
    if not standing:
        return otherwise
    return WRITTEN_OFF if standing[-1].resolution in WRITE_OFFS else RESOLVED


def fold(history: Iterable[Recorded]) -> Break | None:
    """The break that this stream tells of; None for an empty one."""
    found: Break | None = None
    for recorded in history:
        found = evolve(found, recorded)
    return found


class ProposedPostingView(msgspec.Struct, frozen=True):
    """A posting that would be made, in minor units."""

    account: str
    direction: str
    amount: int
    currency: str


class ProposalView(msgspec.Struct, frozen=True):
    """How somebody proposes to resolve a break. `four_eyes`: somebody else than `maker` has to approve it."""

    number: int
    resolution: str
    parameters: dict[str, str]
    postings: list[ProposedPostingView]
    maker: str
    four_eyes: bool
    reason: str


class BreakView(msgspec.Struct):
    """A break as it is shown. `since` is the day of what is oldest in it; `resolved_by` stands, and is not undone."""

    id: str
    status: BreakStatus
    type: str
    side: str
    source: str
    account: str
    kind: str
    currency: str
    ours: int
    theirs: int
    at_risk: int
    their_currency: str
    rows: list[BreakRow]
    items: list[str]
    related: list[str]
    since: date
    opened_at: datetime
    run: str
    suggested: SuggestedResolution | None
    assignee: str
    proposal: ProposalView | None
    resolved_by: ProposalView | None
    checker: str
    position: int | None = None


def view_of(found: Break) -> BreakView:
    opened = found.opened
    return BreakView(
        id=opened.id,
        status=found.status,
        type=opened.type,
        side=opened.side,
        source=opened.source,
        account=opened.account,
        kind=opened.kind,
        currency=opened.currency,
        ours=opened.ours,
        theirs=opened.theirs,
        at_risk=opened.at_risk,
        their_currency=opened.their_currency,
        rows=list(opened.rows),
        items=list(opened.items),
        related=list(opened.related),
        since=opened.since or found.opened_at.date(),
        opened_at=found.opened_at,
        run=opened.run,
        suggested=opened.suggested,
        assignee=found.assignee,
        proposal=_proposal_view(found.proposed),
        resolved_by=_proposal_view(found.carried_out),
        checker=found.checker if found.carried_out is not None else "",
        position=found.position,
    )


def _proposal_view(proposed: BreakProposed | None) -> ProposalView | None:
    if proposed is None:
        return None
    return ProposalView(
        number=proposed.number,
        resolution=proposed.resolution,
        parameters=dict(proposed.parameters),
        postings=[
            ProposedPostingView(one.account, one.direction.value, one.amount, one.currency) for one in proposed.postings
        ],
        maker=proposed.maker,
        four_eyes=proposed.four_eyes,
        reason=proposed.reason,
    )
