"""Dispute answers at the channel: what merchants say in a dispute is put before the payer's bank, in time or not.

accept     the payer keeps the money: the dispute is accepted
challenge  with evidence, until its deadline: the dispute is challenged, and whoever plays the bank decides it
"""

from msgspec import structs

from commands.channels.requests import AcceptDispute, ChallengeDispute
from commands.channels.simulator.charges import reference_of
from commands.channels.simulator.conduct import Conduct
from commands.channels.simulator.operations import DisputeWords, Operation, Refused, moment
from commands.channels.simulator.store import Store


def answer(store: Store, order: AcceptDispute | ChallengeDispute, conduct: Conduct, now_ms: int) -> Operation:
    """Raises Refused: no such dispute, decided or at another stage already, or too late."""
    dispute, _ = _under_way(store, order, now_ms)
    new = Operation(
        kind="answer",
        id=order.answer_id,
        reference=reference_of("answer", order.answer_id),
        amount=dispute.amount,
        currency=dispute.currency,
        status="pending",
        conduct=conduct,
        created_ms=now_ms,
        parent=order.attempt_id,
        parent_reference=dispute.reference,
        request=order,
    )
    if conduct.late_ms is not None:
        return store.put(structs.replace(new, next_ms=now_ms + conduct.late_ms))
    return decide(store, new, now_ms)


def decide(store: Store, new: Operation, now_ms: int) -> Operation:
    """Taken, and the dispute moves and is told of; or declined."""
    order = new.request
    if not isinstance(order, AcceptDispute | ChallengeDispute):
        raise AssertionError(f"{new.id} says nothing in a dispute")
    over = structs.replace(new, decided_ms=now_ms, next_ms=None)
    if new.conduct.decline is not None:
        return store.put(structs.replace(over, status="declined", decline=new.conduct.decline))
    try:
        dispute, words = _under_way(store, order, now_ms)
    except Refused:
        # Its bank was quicker than a late answer.
        return store.put(structs.replace(over, status="declined", decline="expired"))
    status = "accepted" if isinstance(order, AcceptDispute) else "challenged"
    told = structs.replace(dispute, conduct=new.conduct, dispute=structs.replace(words, status=status), fee=0)
    store.tell(structs.replace(told, decided_ms=now_ms), now_ms)
    return store.put(structs.replace(over, status="succeeded"))


def _under_way(store: Store, order: AcceptDispute | ChallengeDispute, now_ms: int) -> tuple[Operation, DisputeWords]:
    disputes = store.children(order.attempt_id, "dispute")
    dispute = next((one for one in disputes if one.id == order.dispute_reference), None)
    if dispute is None or dispute.dispute is None:
        raise Refused(422, "dispute_not_found", "There is no such dispute.")
    words = dispute.dispute
    answered = isinstance(order, AcceptDispute)
    if words.stage != order.stage or words.status not in ("opened", "challenged", *(("expired",) if answered else ())):
        raise Refused(422, "dispute_decided", f"The dispute is {words.status} at the stage {words.stage}.")
    due = words.evidence_due_at
    if not answered and due is not None and due <= moment(now_ms):
        raise Refused(422, "evidence_too_late", "The time for evidence is over.")
    return dispute, words
