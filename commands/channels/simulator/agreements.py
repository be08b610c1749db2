"""Agreements, payouts and disputes at the channel: what is not a charge, and yet moves money or may."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from commands.channels.requests import SendPayout, SignContract, TerminateContract
from commands.channels.simulator.charges import declined, reference_of
from commands.channels.simulator.conduct import CODE, Conduct, conduct_of_word
from commands.channels.simulator.operations import DisputeWords, Kind, Movement, Operation, Refused
from commands.channels.simulator.store import Store
from commands.policies.channels import ChannelTerms
from ledger.money import LARGEST

_SIGNING_MS = 15 * 60_000
_REVOKED = "revocation_of_authorization"
_TOKENS = {"tok_redirect": "redirect", "tok_at_once": "at_once", "tok_declined": "declined"}
NO_MONEY = "XXX"  # ISO 4217: of contracts, which move none
PAYOUT_DECLINES: dict[str, str] = {
    "account_invalid": "There is no such account.",
    "account_closed": "The account is closed.",
    "name_mismatch": "The account belongs to somebody else.",
    "payout_limit_exceeded": "The limit of the day has been reached.",
    "float_insufficient": "There is not enough money to pay it from.",
}


# --- contracts -----------------------------------------------------------------------------------------------------


def sign(store: Store, order: SignContract, now_ms: int) -> Operation:
    """The contract as it stands after this; a code counts once. Raises Refused."""
    contract = store.get("contract", order.contract_id)
    store.put(_step("signing", order.sign_id, order, now_ms))
    if order.answer is not None:
        if contract is None:
            raise Refused(422, "contract_not_found", "There is no such contract.")
        return _answered(store, contract, order.answer, now_ms)
    if contract is not None:
        return contract
    new = structs.replace(_step("contract", order.contract_id, order, now_ms), status="action_required")
    if order.replaces is not None:
        agreement = store.by_reference(order.replaces)
        if agreement is None or agreement.kind != "contract":
            raise Refused(422, "contract_not_found", "There is no such contract.")
        if agreement.status != "signed":
            return declined(store, new, _REVOKED, now_ms)
    match order.details.get("sign") or _TOKENS.get(order.details.get("token", ""), "sms"):
        case "at_once":
            return signed(store, new, now_ms)
        case "declined":
            return declined(store, new, "generic_decline", now_ms)
        case how:
            expires_ms = now_ms + _SIGNING_MS
            action: Literal["redirect", "sms_code"] = "redirect" if how == "redirect" else "sms_code"
            return store.put(structs.replace(new, action=action, action_expires_ms=expires_ms, next_ms=expires_ms))


def signed(store: Store, contract: Operation, now_ms: int) -> Operation:
    asked = contract.request
    if isinstance(asked, SignContract) and asked.replaces is not None:
        agreement = store.by_reference(asked.replaces)
        if agreement is None or agreement.status != "signed":
            return declined(store, contract, _REVOKED, now_ms)  # It has ended while the payer was asked.
    return store.tell(
        structs.replace(contract, status="signed", decided_ms=now_ms, next_ms=None, wrong_code=False), now_ms
    )


def end(store: Store, order: TerminateContract, now_ms: int) -> Operation:
    """The contract, which is over. Raises Refused."""
    contract = store.get("contract", order.contract_id)
    if contract is None or contract.reference != order.channel_reference:
        raise Refused(422, "contract_not_found", "There is no such contract.")
    store.put(_step("ending", order.end_id, order, now_ms))
    return ended(store, contract, "merchant", now_ms)


def ended(store: Store, contract: Operation, by: Literal["merchant", "user", "channel"], now_ms: int) -> Operation:
    if contract.status == "ended":
        return contract
    over = structs.replace(contract, status="ended", ended_by=by, decided_ms=now_ms, next_ms=None)
    return store.tell(over, now_ms)


def replaced(store: Store, contract: Operation, now_ms: int) -> Operation:
    """The payer's bank has given him another card, and the schemes have told the channel. Raises Refused."""
    if contract.status != "signed":
        raise Refused(422, "contract_not_found", f"The contract is {contract.status}.")
    number = int(contract.replacement.rpartition("-")[2] or 0) + 1
    name = f"{reference_of('contract', contract.id)}-{number}"
    return store.tell(structs.replace(contract, replacement=name, decided_ms=now_ms), now_ms)


def _answered(store: Store, contract: Operation, answer: str, now_ms: int) -> Operation:
    if not contract.is_asked_of_the_payer:
        return contract
    if answer == CODE:
        return signed(store, contract, now_ms)
    if contract.tries_left <= 1:
        return declined(store, structs.replace(contract, tries_left=0), "authentication_failed", now_ms)
    return store.put(structs.replace(contract, tries_left=contract.tries_left - 1, wrong_code=True))


def _step(kind: Kind, operation_id: str, order: SignContract | TerminateContract, now_ms: int) -> Operation:
    return Operation(
        kind=kind,
        id=operation_id,
        reference=reference_of(kind, operation_id),
        amount=1,
        currency=NO_MONEY,
        status="succeeded",
        conduct=Conduct(),
        created_ms=now_ms,
        parent="" if kind == "contract" else order.contract_id,
        request=order,
    )


# --- payouts -------------------------------------------------------------------------------------------------------


def payout_conduct(order: SendPayout) -> Conduct:
    """How the destination wants to be paid."""
    token = order.destination.get("token", "")
    word = order.destination.get("simulate", token.removeprefix("tok_") if token.startswith("tok_") else "")
    return Conduct(decline=word) if word in PAYOUT_DECLINES else conduct_of_word(word)


def pay_out(store: Store, terms: ChannelTerms, order: SendPayout, conduct: Conduct, now_ms: int) -> Operation:
    """Raises Refused."""
    if not terms.payouts:
        raise Refused(422, "payouts_not_enabled", "This channel pays nothing out.")
    new = Operation(
        kind="payout",
        id=order.payout_id,
        reference=reference_of("payout", order.payout_id),
        amount=order.amount,
        currency=order.currency,
        status="pending",
        conduct=conduct,
        created_ms=now_ms,
        request=order,
    )
    if conduct.late_ms is not None:
        return store.put(structs.replace(new, next_ms=now_ms + conduct.late_ms))
    return decide_payout(store, terms, new, now_ms)


def decide_payout(store: Store, terms: ChannelTerms, payout: Operation, now_ms: int) -> Operation:
    conduct, fee = payout.conduct, terms.payout_fee
    if conduct.decline is not None:
        return declined(store, payout, conduct.decline, now_ms)
    store.move(_movement("payout", payout, -payout.amount, fee, now_ms))
    next_ms = None if conduct.returned_ms is None else now_ms + conduct.returned_ms
    return store.tell(structs.replace(payout, status="succeeded", fee=fee, decided_ms=now_ms, next_ms=next_ms), now_ms)


def return_payout(store: Store, payout: Operation, now_ms: int) -> Operation:
    """The receiver's bank sent it back after it had been paid. Raises Refused."""
    if payout.status != "succeeded":
        raise Refused(422, "payout_not_returnable", f"The payout is {payout.status}.")
    store.move(_movement("payout_returned", payout, payout.amount, 0, now_ms))
    return store.tell(structs.replace(payout, status="returned", decided_ms=now_ms, next_ms=None), now_ms)


# --- disputes ------------------------------------------------------------------------------------------------------


class DisputeOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """How a dispute is to stand. `id`: one that was opened before; without it the latest of the charge, or a new one.

    `amount` and `fee` are minor units; without them all of the charge, and what the channel usually keeps.
    """

    charge: str
    stage: Literal["pre_dispute", "dispute", "pre_arbitration", "arbitration"] = "dispute"
    status: Literal["opened", "challenged", "accepted", "expired", "canceled", "won", "lost"] = "opened"
    amount: Annotated[int, Meta(ge=1, le=LARGEST)] | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z0-9]{3,8}\Z")] | None = None
    fee: Annotated[int, Meta(ge=0, le=LARGEST)] | None = None
    reason: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,64}\Z")] = "fraudulent"
    evidence_due_at: Annotated[datetime, Meta(tz=True)] | None = None
    id: str | None = None


def move_dispute(store: Store, terms: ChannelTerms, order: DisputeOrder, now_ms: int) -> Operation:
    """The dispute as the bank has moved it, with the money it takes or gives back. Raises Refused."""
    charge = store.get("charge", order.charge)
    if charge is None or not charge.taken:
        raise Refused(422, "charge_not_found", "There is no such charge, or nothing was taken.")
    before = store.children(charge.id, "dispute")
    if order.id is None:
        known = before[-1] if before else None
    else:
        known = next((one for one in before if one.id == order.id), None)
        if known is None:
            raise Refused(404, "not_found", "There is no such dispute.")
    held = known is not None and known.dispute is not None and known.dispute.taken
    amount = order.amount or (known.amount if known else charge.taken)
    takes = order.stage != "pre_dispute" and order.status == "opened" and not held
    gives_back = held and order.status in ("won", "canceled")
    usual_fee = terms.dispute_fee if takes else 0
    fee = usual_fee if order.fee is None else order.fee
    reference = known.reference if known else reference_of("dispute", f"{charge.id}/{len(before)}")
    words = DisputeWords(
        stage=order.stage,
        status=order.status,
        reason=order.reason,
        evidence_due_at=order.evidence_due_at,
        taken=(held or takes) and not gives_back,
    )
    moved = Operation(
        kind="dispute",
        id=known.id if known else reference,
        reference=reference,
        amount=amount,
        currency=order.currency or charge.currency,
        status="moved",
        conduct=Conduct(),
        created_ms=known.created_ms if known else now_ms,
        decided_ms=now_ms,
        parent=charge.id,
        parent_reference=charge.reference,
        fee=fee,
        dispute=words,
        told=known.told if known else 0,
    )
    if takes or fee:
        store.move(_movement("dispute", moved, -amount if takes else 0, fee, now_ms))
    if gives_back:
        store.move(_movement("dispute_reversed", moved, amount, 0, now_ms))
    return store.tell(moved, now_ms)


def _movement(type_: str, of: Operation, gross: int, fee: int, now_ms: int) -> Movement:
    return Movement(type_, of.id, of.parent, of.reference, gross, fee, of.currency, now_ms)
