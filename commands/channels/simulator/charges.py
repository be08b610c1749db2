"""Charges at the channel: taken or held, asked of the payer, captured in parts, let go, given back."""

from hashlib import sha256

from msgspec import structs

from commands.channels.requests import (
    CaptureCharge,
    Charge,
    ConfirmCharge,
    ExtendCharge,
    IncrementCharge,
    RefundCharge,
    VoidCharge,
)
from commands.channels.simulator.conduct import CODE, Conduct
from commands.channels.simulator.operations import Kind, Movement, Operation, Refused
from commands.channels.simulator.store import Store
from commands.policies.channels import ChannelTerms
from ledger.money import share_in_basis_points

ACTION_MS = 15 * 60_000
HOLDS_MS = 7 * 24 * 3_600_000
_DAY_MS = 24 * 3_600_000
_WHOLE = 10_000


def reference_of(kind: Kind, operation_id: str) -> str:
    """From the id, so that the same story has the same references in each run."""
    return kind[:2] + "_" + sha256(f"{kind}/{operation_id}".encode()).hexdigest()[:24]


def charge(store: Store, terms: ChannelTerms, order: Charge, conduct: Conduct, now_ms: int) -> Operation:
    """Taken, held, declined, pending, or asked of the payer. Raises Refused."""
    if not terms.takes(order.amount, order.currency):
        raise Refused(422, "amount_not_taken", "The channel takes no such sum.")
    if not (order.capture or terms.manual_capture):
        raise Refused(422, "invalid_request", "This channel takes the money at once.")
    if order.contract is not None and conduct.decline is None:
        contract = store.by_reference(order.contract)
        if contract is None or contract.status != "signed":
            conduct = structs.replace(conduct, decline="revocation_of_authorization", action=None)
    if order.authenticate and conduct.action is None and "tok_frictionless" not in order.token.split("+"):
        # Who asked for a proof by declining has it then.
        decline = None if conduct.decline == "authentication_required" else conduct.decline
        conduct = structs.replace(conduct, action="three_ds", decline=decline)
    new = Operation(
        kind="charge",
        id=order.attempt_id,
        reference=reference_of("charge", order.attempt_id),
        amount=order.amount,
        currency=order.currency,
        status="pending",
        conduct=conduct,
        created_ms=now_ms,
        token=order.token,
        request=order,
    )
    asks = conduct.action is not None and order.contract is None
    if asks:
        return ask_the_payer(store, new, now_ms)
    return decide_or_wait(store, terms, new, now_ms)


def ask_the_payer(store: Store, charge: Operation, now_ms: int) -> Operation:
    expires_ms = now_ms + (ACTION_MS if charge.conduct.expires_ms is None else charge.conduct.expires_ms)
    return store.put(
        structs.replace(
            charge,
            status="action_required",
            action=charge.conduct.action,
            action_expires_ms=expires_ms,
            next_ms=expires_ms,
        )
    )


def decide_or_wait(store: Store, terms: ChannelTerms, charge: Operation, now_ms: int) -> Operation:
    """What the conduct says becomes of the charge, now or after a while."""
    if charge.conduct.late_ms is None:
        return decide(store, terms, charge, now_ms)
    return store.put(structs.replace(charge, status="pending", next_ms=now_ms + charge.conduct.late_ms))


def decide(store: Store, terms: ChannelTerms, charge: Operation, now_ms: int) -> Operation:
    """Final: declined, taken, or held."""
    order = charge.request
    if not isinstance(order, Charge):
        raise AssertionError(f"{charge.id} is a charge that nobody asked for")
    conduct = charge.conduct
    if conduct.decline is not None:
        return declined(store, charge, conduct.decline, now_ms)
    if order.capture:
        fee = share_in_basis_points(charge.amount, terms.fee_bps)
        taken = structs.replace(charge, status="succeeded", fee=fee, decided_ms=now_ms, next_ms=None)
        store.move(_movement("charge", taken, charge.amount, fee, now_ms))
        return store.tell(taken, now_ms)
    in_part = terms.partial_authorization and conduct.partial is not None
    part = max(1, charge.amount * (conduct.partial or 0) // 100) if in_part else charge.amount
    until_ms = now_ms + (HOLDS_MS if conduct.expires_ms is None else conduct.expires_ms)
    held = structs.replace(
        charge, status="authorized", amount=part, decided_ms=now_ms, capture_before_ms=until_ms, next_ms=until_ms
    )
    return store.tell(held, now_ms)


def declined(store: Store, operation: Operation, code: str, now_ms: int) -> Operation:
    return store.tell(
        structs.replace(operation, status="declined", decline=code, decided_ms=now_ms, next_ms=None), now_ms
    )


def succeed(store: Store, terms: ChannelTerms, charge: Operation, now_ms: int) -> Operation:
    """It goes well after all, also after it was declined or let go: the late success. Raises Refused."""
    if charge.taken or charge.status == "authorized":
        raise Refused(409, "already_succeeded", f"The charge is {charge.status}.")
    again = structs.replace(charge, decline=None, closed=False, conduct=structs.replace(charge.conduct, decline=None))
    return decide(store, terms, again, now_ms)


def confirm(store: Store, terms: ChannelTerms, order: ConfirmCharge, now_ms: int) -> Operation:
    """The charge as it stands after the payer's answer; an answer counts once. Raises Refused."""
    asked = _charge(store, order.attempt_id, order.channel_reference)
    said = Operation(
        kind="confirm",
        id=order.confirm_id,
        reference=reference_of("confirm", order.confirm_id),
        amount=asked.amount,
        currency=asked.currency,
        status="succeeded",
        conduct=Conduct(),
        created_ms=now_ms,
        parent=asked.id,
        request=order,
    )
    store.put(said)
    if not asked.is_asked_of_the_payer:
        return asked
    if order.answer == CODE:
        return decide_or_wait(store, terms, asked, now_ms)
    if asked.tries_left <= 1:
        return declined(store, structs.replace(asked, tries_left=0), "authentication_failed", now_ms)
    return store.put(structs.replace(asked, tries_left=asked.tries_left - 1, wrong_code=True))


def capture(store: Store, terms: ChannelTerms, order: CaptureCharge, conduct: Conduct, now_ms: int) -> Operation:
    """Raises Refused: too much, too late, nothing held."""
    held = _held(store, order.attempt_id, order.channel_reference, order.currency)
    if held.capture_before_ms is not None and held.capture_before_ms <= now_ms:
        raise Refused(422, "authorization_expired", "The authorization has expired.")
    waiting = sum(one.amount for one in store.children(held.id, "capture") if one.status == "pending")
    most = held.amount + held.amount * terms.over_capture_bps // _WHOLE
    if held.captured + waiting + order.amount > most:
        raise Refused(422, "capture_exceeds_authorization", "More than is held.")
    return _change_or_wait(store, terms, _change("capture", order.capture_id, order, held, conduct, now_ms), now_ms)


def void(store: Store, terms: ChannelTerms, order: VoidCharge, conduct: Conduct, now_ms: int) -> Operation:
    """Lets go of what is open, or takes back what was taken today. Raises Refused."""
    if not terms.voids:
        raise Refused(422, "charge_not_voidable", "This channel lets go of nothing.")
    held = _charge(store, order.attempt_id, order.channel_reference)
    if held.currency != order.currency:
        raise Refused(422, "invalid_request", "The currency is not the charge's.")
    if voidable(store, held, order, now_ms) is None:
        raise Refused(422, "charge_not_voidable", f"The charge is {held.status}.")
    return _change_or_wait(store, terms, _change("void", order.void_id, order, held, conduct, now_ms), now_ms)


def increment(store: Store, terms: ChannelTerms, order: IncrementCharge, conduct: Conduct, now_ms: int) -> Operation:
    """Raises Refused."""
    held = _held(store, order.attempt_id, order.channel_reference, order.currency)
    if not terms.increments:
        raise Refused(422, "increment_not_supported", "This channel holds nothing more.")
    if not terms.takes(held.amount + order.amount, held.currency):
        raise Refused(422, "amount_not_taken", "The channel takes no such sum.")
    new = _change("increment", order.increment_id, order, held, conduct, now_ms)
    return _change_or_wait(store, terms, new, now_ms)


def extend(store: Store, terms: ChannelTerms, order: ExtendCharge, conduct: Conduct, now_ms: int) -> Operation:
    """Raises Refused."""
    held = _held(store, order.attempt_id, order.channel_reference, order.currency)
    if not terms.extensions:
        raise Refused(422, "extension_not_supported", "This channel holds nothing for longer.")
    new = _change("extension", order.extension_id, order, held, conduct, now_ms)
    return _change_or_wait(store, terms, new, now_ms)


def refund(store: Store, terms: ChannelTerms, order: RefundCharge, conduct: Conduct, now_ms: int) -> Operation:
    """Raises Refused."""
    if not terms.refunds:
        raise Refused(422, "charge_not_refundable", "This channel gives nothing back.")
    taken = _charge(store, order.attempt_id, order.channel_reference)
    if not taken.taken:
        raise Refused(422, "charge_not_refundable", f"The charge is {taken.status}.")
    if taken.currency != order.currency:
        raise Refused(422, "invalid_request", "The currency is not the charge's.")
    # Also what is late: it is on its way.
    before = sum(
        one.amount
        for one in store.children(taken.id, "refund")
        if one.status in ("pending", "succeeded") and one.conduct.decline is None
    )
    if before + order.amount > taken.taken:
        raise Refused(422, "refund_exceeds_charge", "More than was charged and not yet given back.")
    new = _change("refund", order.refund_id, order, taken, conduct, now_ms)
    if conduct.late_ms is not None:
        return store.put(structs.replace(new, next_ms=now_ms + conduct.late_ms))
    return decide_refund(store, terms, new, now_ms)


def decide_refund(store: Store, terms: ChannelTerms, refund: Operation, now_ms: int) -> Operation:
    conduct = refund.conduct
    if conduct.decline is not None:
        return declined(store, refund, conduct.decline, now_ms)
    fee = -_given_back_of_the_fee(store, refund) if terms.returns_fee else 0
    store.move(_movement("refund", refund, -refund.amount, fee, now_ms))
    next_ms = None if conduct.returned_ms is None else now_ms + conduct.returned_ms
    return store.tell(structs.replace(refund, status="succeeded", fee=fee, decided_ms=now_ms, next_ms=next_ms), now_ms)


def _given_back_of_the_fee(store: Store, refund: Operation) -> int:
    """In proportion to all that was given back so far, less what was given of it before: all parts are the whole."""
    taken = store.get("charge", refund.parent)
    if taken is None or not taken.fee:
        return 0
    before = [one for one in store.children(taken.id, "refund") if one.status == "succeeded" and one.id != refund.id]
    gone = refund.amount + sum(one.amount for one in before)
    return taken.fee * gone // taken.taken + sum(one.fee or 0 for one in before)


def return_refund(store: Store, refund: Operation, now_ms: int) -> Operation:
    """The payer's bank sent it back after it had succeeded. Raises Refused."""
    if refund.status != "succeeded":
        raise Refused(422, "refund_not_returnable", f"The refund is {refund.status}.")
    store.move(_movement("refund_returned", refund, refund.amount, 0, now_ms))
    return store.tell(structs.replace(refund, status="returned", decided_ms=now_ms, next_ms=None), now_ms)


def decide_change(store: Store, terms: ChannelTerms, change: Operation, now_ms: int) -> Operation:
    """The change is done, or declined; the charge is what it is after it."""
    held = store.get("charge", change.parent)
    if held is None:
        raise AssertionError(f"{change.id} changes a charge that is not there")
    if change.conduct.decline is not None:
        return declined(store, change, change.conduct.decline, now_ms)
    if change.kind != "void" and (held.status != "authorized" or held.closed):
        # It was late, and what was held is gone.
        return declined(store, change, "expired" if held.status == "expired" else "voided", now_ms)
    done = structs.replace(change, status="succeeded", decided_ms=now_ms, next_ms=None)
    match change.request:
        case CaptureCharge(amount=amount, final=final):
            fee = share_in_basis_points(amount, terms.fee_bps)
            done = structs.replace(done, fee=fee)
            store.move(_movement("capture", done, amount, fee, now_ms))
            captured = held.captured + amount
            store.put(_closed(held, captured) if final or captured >= held.amount else _captured(held, captured))
        case IncrementCharge(amount=amount):
            done = structs.replace(done, capture_before_ms=held.capture_before_ms)
            store.put(structs.replace(held, amount=held.amount + amount))
        case ExtendCharge():
            until_ms = max(held.capture_before_ms or 0, now_ms + HOLDS_MS)
            done = structs.replace(done, capture_before_ms=until_ms)
            store.put(structs.replace(held, capture_before_ms=until_ms, next_ms=until_ms))
        case VoidCharge() as order:
            amount = voidable(store, held, order, now_ms) or 0
            if not amount:
                return declined(store, change, "voided", now_ms)
            done = structs.replace(done, amount=amount)
            if order.takes_back and order.takes_back != held.id:
                _take_back(store, held, order.takes_back, done, now_ms)
            elif order.takes_back:
                store.move(_movement("void", done, -amount, -(held.fee or 0), now_ms))
                store.put(structs.replace(_closed(held, 0), status="voided", decline="voided"))
            else:
                after = _closed(held, held.captured)
                store.put(after if held.captured else structs.replace(after, status="voided", decline="voided"))
        case _:
            raise AssertionError(f"{change.id} is no change of a charge")
    return store.tell(done, now_ms)


def voidable(store: Store, charge: Operation, order: VoidCharge, now_ms: int) -> int | None:
    """How much would be let go or taken back; None where nothing can be."""
    if any(one.status == "pending" for one in store.children(charge.id, "capture")):
        return None
    if not order.takes_back:
        return charge.amount if charge.status in ("action_required", "pending") else charge.open or None
    given_back = [one for one in store.children(charge.id, "refund") if one.status in ("pending", "succeeded")]
    if order.takes_back == charge.id:
        took: Operation | None = charge if charge.status == "succeeded" else None
    else:
        took = store.get("capture", order.takes_back)
        if took is not None and (took.parent != charge.id or took.status != "succeeded"):
            took = None
    if took is None or given_back or took.decided_ms is None or took.decided_ms // _DAY_MS != now_ms // _DAY_MS:
        return None
    return took.amount


def _take_back(store: Store, held: Operation, capture_id: str, void: Operation, now_ms: int) -> None:
    """The capture is as if it had not been: what it took is held again, and what its end let go is not."""
    took = store.get("capture", capture_id)
    if took is None:
        raise AssertionError(f"{capture_id} was voidable and is not there")
    store.move(_movement("void", void, -took.amount, -(took.fee or 0), now_ms))
    store.put(structs.replace(took, status="voided", decline="voided"))
    most = held.captured if held.closed else held.amount
    store.put(
        structs.replace(
            held,
            amount=most,
            captured=held.captured - took.amount,
            closed=False,
            next_ms=held.capture_before_ms,
        )
    )


def expire(store: Store, charge: Operation, now_ms: int) -> Operation:
    """Its time is over. Raises Refused."""
    if charge.status not in ("action_required", "authorized", "pending") or charge.closed:
        raise Refused(422, "charge_not_expirable", f"The charge is {charge.status}.")
    if charge.captured:
        return store.put(_closed(charge, charge.captured))
    over = structs.replace(charge, status="expired", decline="expired", closed=True, decided_ms=now_ms, next_ms=None)
    # An authorization ends in silence, as with card issuers; an order that nobody paid is told of.
    return store.put(over) if charge.status == "authorized" else store.tell(over, now_ms)


def _captured(charge: Operation, captured: int) -> Operation:
    return structs.replace(charge, captured=captured)


def _closed(charge: Operation, captured: int) -> Operation:
    return structs.replace(charge, captured=captured, closed=True, next_ms=None)


def _change(
    kind: Kind,
    change_id: str,
    order: CaptureCharge | VoidCharge | IncrementCharge | ExtendCharge | RefundCharge,
    charge: Operation,
    conduct: Conduct,
    now_ms: int,
) -> Operation:
    return Operation(
        kind=kind,
        id=change_id,
        reference=reference_of(kind, change_id),
        amount=order.amount,
        currency=order.currency,
        status="pending",
        conduct=conduct,
        created_ms=now_ms,
        token=charge.token,
        parent=charge.id,
        parent_reference=charge.reference,
        request=order,
    )


def _change_or_wait(store: Store, terms: ChannelTerms, change: Operation, now_ms: int) -> Operation:
    if change.conduct.late_ms is None:
        return decide_change(store, terms, change, now_ms)
    return store.put(structs.replace(change, next_ms=now_ms + change.conduct.late_ms))


def _charge(store: Store, attempt_id: str, reference: str) -> Operation:
    found = store.get("charge", attempt_id)
    if found is None or found.reference != reference:
        raise Refused(422, "charge_not_found", "There is no such charge.")
    return found


def _held(store: Store, attempt_id: str, reference: str, currency: str) -> Operation:
    held = _charge(store, attempt_id, reference)
    if held.status == "expired":
        raise Refused(422, "authorization_expired", "The authorization has expired.")
    if held.status != "authorized" or held.closed:
        raise Refused(422, "charge_not_authorized", f"Nothing is held any more: the charge is {held.status}.")
    if held.currency != currency:
        raise Refused(422, "invalid_request", "The currency is not the charge's.")
    return held


def _movement(type_: str, of: Operation, gross: int, fee: int, now_ms: int) -> Movement:
    return Movement(type_, of.id, of.parent or of.id, of.reference, gross, fee, of.currency, now_ms)
