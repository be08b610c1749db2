"""Books: what a channel does once for each id and answers again the same; the payer, the bank and time move it too.

Every method is one transaction and returns the operation as it stands after it, or raises Refused and keeps nothing.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import structs

from commands.channels.channel import Action
from commands.channels.requests import (
    AcceptDispute,
    CaptureCharge,
    ChallengeDispute,
    ChannelRequest,
    Charge,
    ConfirmCharge,
    ExtendCharge,
    IncrementCharge,
    QueryChange,
    QueryCharge,
    QueryContract,
    QueryDisputeAnswer,
    QueryPayout,
    QueryRefund,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from commands.channels.simulator import agreements, bills, chain, charges, dispute_answers
from commands.channels.simulator.agreements import DisputeOrder
from commands.channels.simulator.bills import BILLS
from commands.channels.simulator.chain import CoinsOrder
from commands.channels.simulator.conduct import AT_ONCE, BEFORE, About, Conduct, conduct_for
from commands.channels.simulator.faults import FaultPlan, operation_of
from commands.channels.simulator.operations import CHANGES, Operation, Refused, iso, moment, subject_of
from commands.channels.simulator.settlement import bounds, written
from commands.channels.simulator.store import Message, Store, Tried
from commands.policies.channels import ChannelTerms

PayerWord = Literal["approve", "refuse", "expire", "succeed"]


class Books:
    """One channel's."""

    def __init__(self, file: Path, terms: ChannelTerms, asks: Action | None = None) -> None:
        """`asks`: what each payer has to do. Raises sqlite3.OperationalError when another process has the file."""
        self._terms, self._asks = terms, asks
        self._store = Store(file)

    def close(self) -> None:
        self._store.close()

    def together(self) -> AbstractContextManager[None]:
        """What is done in this block is on the disk, all at once, when it ends well."""
        return self._store.together()

    # --- what we ask for -------------------------------------------------------------------------------------------

    def conduct(self, request: ChannelRequest) -> Conduct:
        """How this request is treated, with the plan's counts moved on."""
        token, usual = self._token(request), Conduct()
        match request:
            case Charge():
                usual = conduct_for(request.token)
                if usual.action is None and AT_ONCE not in request.token.split("+"):
                    usual = structs.replace(usual, action=self._asks)
            case CaptureCharge() | VoidCharge() | IncrementCharge() | ExtendCharge() | RefundCharge():
                about: dict[type[ChannelRequest], About] = {
                    CaptureCharge: "capture",
                    VoidCharge: "void",
                    IncrementCharge: "increment",
                    ExtendCharge: "extend",
                    RefundCharge: "refund",
                }
                usual = conduct_for(token or "", about[type(request)])
            case SendPayout():
                usual = agreements.payout_conduct(request)
            case _:
                pass
        return self._store.conduct(operation_of(request), token, usual)

    def begin(self, request: ChannelRequest, now_ms: int) -> tuple[Conduct, Operation | None]:
        """How this request is treated, and what was done; None where trouble comes before that. Raises Refused."""
        conduct = self.conduct(request)
        return conduct, None if conduct.answer in BEFORE else self.do(request, conduct, now_ms)

    def do(self, request: ChannelRequest, conduct: Conduct, now_ms: int) -> Operation:
        """Done now, or before under this id; a question is answered. Raises Refused."""
        match request:
            case QueryCharge() | QueryRefund() | QueryPayout() | QueryContract() | QueryChange() | QueryDisputeAnswer():
                return self._found(request)
            case _:
                pass
        with self._store.transaction():
            known = self._store.get(*subject_of(request))
            if known is not None:
                if known.request != request:
                    raise Refused(409, "id_reused", "This id was used for something else.")
                return self._as_it_stands(known)
            return self._done(request, conduct, now_ms)

    def _done(self, request: ChannelRequest, conduct: Conduct, now_ms: int) -> Operation:
        store, terms = self._store, self._terms
        match request:
            case Charge():
                return charges.charge(store, terms, request, conduct, now_ms)
            case ConfirmCharge():
                return charges.confirm(store, terms, request, now_ms)
            case CaptureCharge():
                return charges.capture(store, terms, request, conduct, now_ms)
            case VoidCharge():
                return charges.void(store, terms, request, conduct, now_ms)
            case IncrementCharge():
                return charges.increment(store, terms, request, conduct, now_ms)
            case ExtendCharge():
                return charges.extend(store, terms, request, conduct, now_ms)
            case RefundCharge():
                return charges.refund(store, terms, request, conduct, now_ms)
            case SendPayout():
                return agreements.pay_out(store, terms, request, conduct, now_ms)
            case SignContract() if terms.contracts:
                return agreements.sign(store, request, now_ms)
            case TerminateContract() if terms.contracts:
                return agreements.end(store, request, now_ms)
            case AcceptDispute() | ChallengeDispute():
                return dispute_answers.answer(store, request, conduct, now_ms)
            case _:
                raise Refused(422, "not_supported", "This channel knows no such thing.")

    def _as_it_stands(self, known: Operation) -> Operation:
        """Of a word about something else, that which it was about."""
        if known.kind == "confirm":
            return self._store.get("charge", known.parent) or known
        if known.kind in ("signing", "ending"):
            return self._store.get("contract", known.parent) or known
        return known

    def _found(self, question: ChannelRequest) -> Operation:
        if isinstance(question, QueryChange):
            found = self._store.get_change(question.change_id)
        else:
            found = self._store.get(*subject_of(question))
        if found is None:
            raise Refused(404, "not_found", f"There is no such {subject_of(question)[0]}.")
        return found

    def _token(self, request: ChannelRequest) -> str | None:
        """The token of the charge that it is about."""
        match request:
            case Charge():
                return request.token
            case QueryRefund():
                found = self._store.get("refund", request.refund_id)
            case QueryPayout() | QueryContract() | SendPayout() | SignContract() | TerminateContract():
                return None
            case _:
                found = self._store.get("charge", request.attempt_id)
        return None if found is None else found.token

    # --- what others do --------------------------------------------------------------------------------------------

    def payer(self, word: PayerWord, kind: Literal["charge", "contract"], our_id: str, now_ms: int) -> Operation:
        """What the payer, or time, does to what waits for him. Raises Refused."""
        with self._store.transaction():
            asked = self._store.get(kind, our_id)
            if asked is None:
                raise Refused(404, "not_found", f"There is no such {kind}.")
            if word == "succeed":
                if kind == "contract":
                    raise Refused(404, "not_found", "A contract is approved or refused.")
                return charges.succeed(self._store, self._terms, asked, now_ms)
            if word == "expire" and kind == "charge":
                return charges.expire(self._store, asked, now_ms)
            if not asked.is_asked_of_the_payer:
                raise Refused(409, "not_waiting", f"The {kind} is {asked.status}.")
            if word != "approve":
                code = "canceled_by_payer" if word == "refuse" else "expired"
                return charges.declined(self._store, asked, code, now_ms)
            if kind == "contract":
                return agreements.signed(self._store, asked, now_ms)
            return charges.decide_or_wait(self._store, self._terms, asked, now_ms)

    def set_capture_before(self, attempt_id: str, at_ms: int) -> Operation:
        """Raises Refused."""
        with self._store.transaction():
            held = self._store.get("charge", attempt_id)
            if held is None or not held.open:
                raise Refused(404, "not_found", "Nothing is held under this id.")
            return self._store.put(structs.replace(held, capture_before_ms=at_ms, next_ms=at_ms))

    def end_contract(self, contract_id: str, now_ms: int) -> Operation:
        """By the user. Raises Refused."""
        with self._store.transaction():
            contract = self._store.get("contract", contract_id)
            if contract is None:
                raise Refused(404, "not_found", "There is no such contract.")
            return agreements.ended(self._store, contract, "user", now_ms)

    def replace_card(self, contract_id: str, now_ms: int) -> Operation:
        """By the payer's bank. Raises Refused."""
        with self._store.transaction():
            contract = self._store.get("contract", contract_id)
            if contract is None:
                raise Refused(404, "not_found", "There is no such contract.")
            return agreements.replaced(self._store, contract, now_ms)

    def send_back(self, kind: Literal["refund", "payout"], our_id: str, now_ms: int) -> Operation:
        """A bank sends the money of a refund or a payout back. Raises Refused."""
        with self._store.transaction():
            paid = self._store.get(kind, our_id)
            if paid is None:
                raise Refused(404, "not_found", f"There is no such {kind}.")
            send_back = charges.return_refund if kind == "refund" else agreements.return_payout
            return send_back(self._store, paid, now_ms)

    def dispute(self, order: DisputeOrder, now_ms: int) -> Operation:
        """Raises Refused."""
        with self._store.transaction():
            return agreements.move_dispute(self._store, self._terms, order, now_ms)

    def coins(self, order: CoinsOrder, now_ms: int) -> Operation:
        """A payer sends coins, or a chain goes on. Raises Refused."""
        with self._store.transaction():
            return chain.send(self._store, order, now_ms)

    def settle_due(self, now_ms: int) -> None:
        """What happens by itself: late decisions, what comes back, what nobody answered in time."""
        for one in self._store.due(now_ms):
            with self._store.transaction():
                self._happens(one, now_ms)

    def _happens(self, one: Operation, now_ms: int) -> None:
        store, terms = self._store, self._terms
        match one.kind, one.status:
            case "charge", "pending":
                charges.decide(store, terms, one, now_ms)
            case "charge", _:
                charges.expire(store, one, now_ms)
            case "refund", "pending":
                charges.decide_refund(store, terms, one, now_ms)
            case "refund", _:
                charges.return_refund(store, one, now_ms)
            case "payout", "pending":
                agreements.decide_payout(store, terms, one, now_ms)
            case "payout", _:
                agreements.return_payout(store, one, now_ms)
            case "answer", _:
                dispute_answers.decide(store, one, now_ms)
            case "contract", _:
                charges.declined(store, one, "expired", now_ms)
            case kind, _ if kind in CHANGES:
                charges.decide_change(store, terms, one, now_ms)
            case _:
                raise AssertionError(f"{one.kind} {one.id} does nothing by itself")

    # --- for whoever looks -----------------------------------------------------------------------------------------

    def knows(self, kind: Literal["charge", "refund", "payout", "contract"], our_id: str) -> bool:
        return self._store.get(kind, our_id) is not None

    def by_reference(self, reference: str) -> Operation | None:
        """The charge or contract that the payer is asked about under this reference."""
        found = self._store.by_reference(reference)
        return found if found is not None and found.kind in ("charge", "contract") else None

    def settlement(self, day: date) -> str:
        """The settlement file of the day."""
        return written(self._store.movements(*bounds(day)), self._terms.settles_after_days)

    def bill(self, day: date, now_ms: int) -> tuple[bytes, str] | None:
        """The day as this kind of channel bills it, and what the file is; None where it has no such file."""
        if self._terms.adapter not in BILLS:
            return None
        write, media_type = BILLS[self._terms.adapter]
        moved = self._store.movements(*bills.bounds(day))
        return write(self._terms, moved, day, now_ms), media_type

    def whole(self) -> dict[str, list[dict[str, object]]]:
        """Everything, in the order in which it came, for comparing."""
        names = {"charge": "charges", "refund": "refunds", "payout": "payouts", "contract": "contracts"}
        names |= {"dispute": "disputes", "answer": "dispute_answers"} | dict.fromkeys(CHANGES, "changes")
        listed: dict[str, list[dict[str, object]]] = {name: [] for name in names.values()}
        for one in self._store.all():
            if one.kind in names:
                listed[names[one.kind]].append(_listed(one))
        return listed

    # --- messages and the fault plan -------------------------------------------------------------------------------

    def due_messages(self, now_ms: int, limit: int) -> list[Message]:
        return self._store.due_messages(now_ms, limit)

    def messages_tried(self, tried: Sequence[Tried]) -> None:
        self._store.messages_tried(tried)

    def messages_owed(self) -> int:
        return self._store.messages_owed()

    def plan(self) -> tuple[int, list[Any]]:
        return self._store.plan()

    def set_plan(self, plan: FaultPlan) -> None:
        self._store.set_plan(plan)


def _listed(one: Operation) -> dict[str, object]:
    """One operation for people and tests: what was asked, and how it stands."""
    asked = {} if one.request is None else dict(msgspec.to_builtins(one.request))
    stands: dict[str, object] = {
        "object": one.kind,
        "id": one.id,
        "status": one.status,
        "reference": one.reference,
        "amount": one.amount,
        "currency": one.currency,
        "fee": one.fee,
        "decline": one.decline if one.status in ("declined", "voided", "expired") else None,
        "decided_at": None if one.decided_ms is None else iso(one.decided_ms),
        "created_at": iso(one.created_ms),
        "charge_id": one.parent or None,
    }
    if one.kind == "charge":
        stands |= {"captured": one.taken, "open": one.open}
        before = one.capture_before_ms
        stands["capture_before"] = None if before is None else moment(before).isoformat()
    if one.dispute is not None:
        stands["dispute"] = msgspec.to_builtins(one.dispute)
    if one.ended_by is not None:
        stands["ended_by"] = one.ended_by
    return asked | stands
