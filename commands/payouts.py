"""Payouts: money that leaves us: to a merchant, for a principal, or out of a wallet (a withdrawal).

CreatePayout ──▶ in_transit ──RecordPayoutResult──▶ paid ──▶ returned (its owner has it back)
      │              ▲                         └──▶ rejected (its owner has it back, with the fee)
      └─▶ created ───┘ ApprovePayout, by somebody else than the maker
             └──CancelPayout──▶ canceled

An outcome that nobody knows stays in transit: asked for again under the same id, never booked back, never sent anew.
"""

from commands.books import Books
from commands.channel_choice import chosen_for, payers_of, streams_of_routing
from commands.channel_facts import check_amount, imagined, with_effect, without_effect
from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PaidOut,
    PayoutDeclined,
    PayoutReturned,
    Unknown,
    Verdict,
    as_asked,
)
from commands.customers import customer_exists, wallet_exists
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.merchants import merchant_named
from commands.policies.channels import terms_of
from commands.policies.payouts import approve_above, facts_of_payout, objections_to
from commands.principals import principal_named
from commands.system_accounts import with_accounts
from ledger.currencies import asset_of
from ledger.errors import (
    CurrencyMismatch,
    CustomerNotFound,
    IdExistsDifferent,
    PayoutNotFound,
    PayoutStateInvalid,
    Refusal,
    SelfApproval,
    WalletNotFound,
)
from ledger.events import payouts as events
from ledger.events.customers import customer_stream
from ledger.events.event import Event
from ledger.events.merchants import merchant_stream
from ledger.events.payouts import CUSTOMER, MERCHANT, PRINCIPAL, Destination
from ledger.events.principals import principal_stream
from ledger.ids import PAYOUT
from ledger.payment import CREATED
from ledger.payout_state import HAS_IT, IN_TRANSIT, OPEN, PAID, REJECTED, RETURNED, Payout, fold
from ledger.payout_views import payout_view
from ledger.posting_rules.payouts import in_transit_account, owner_account


class CreatePayout(Command, frozen=True):
    """Pay `amount` minor units of the party's money out; `id` is fresh. `source`: merchant, principal or customer."""

    id: str
    source: str
    party: str
    amount: int
    currency: str
    destination: Destination
    reference: str | None = None
    metadata: dict[str, str] = {}


class ApprovePayout(Command, frozen=True):
    """Agree to a payout that somebody else asked for: it is paid."""

    id: str


class CancelPayout(Command, frozen=True):
    """Take back a payout that waits for its approval."""

    id: str
    reason: str = ""


class RecordPayoutResult(Command, frozen=True):
    """What the channel says became of a payout."""

    payout: str
    channel: str
    verdict: Verdict


class RecordPayoutDebit(Command, frozen=True):
    """The bank's statement shows that the payout left our client money. Said by whoever reads statements."""

    payout: str
    bank_account: str


# --- asking ---------------------------------------------------------------------------------------------------------


def create(books: Books, command: CreatePayout, envelope: Envelope) -> Decision:
    asset_of(command.currency)
    check_amount(command.amount)
    found = objections_to(command.destination)
    if found:
        raise _all_of(found)
    fee, limit = _terms(books, command)
    if books.recorded(command.id):
        raise IdExistsDifferent(f"There is a payout {command.id} already.", pointer="/id", payout=command.id)
    whose = command.source, command.party, command.amount, command.currency
    facts = facts_of_payout(command.id, *whose, command.destination, command.metadata)
    route = payers_of(chosen_for(books, facts))
    created = events.PayoutCreated(
        id=command.id,
        source=command.source,
        party=command.party,
        amount=command.amount,
        currency=command.currency,
        fee=fee,
        channel=route.channel,
        destination=command.destination,
        prefunded=command.source == PRINCIPAL,
        needs_approval=command.amount > approve_above(limit, command.currency, books.standing.policy),
        because=route.because,
        candidates=route.candidates,
        considered=route.considered,
        rules=route.rules,
        reference=command.reference,
        metadata=command.metadata,
    )
    decided: list[Event] = [created] if created.needs_approval else [created, _reserved(created)]
    return _answered(books, command.id, decided, status=201 if created.needs_approval else 202)


def _terms(books: Books, command: CreatePayout) -> tuple[int, int | None]:
    """What the payout costs its owner, and above which amount a second person has to agree."""
    match command.source:
        case "merchant":
            merchant = merchant_named(books, command.party)
            if command.currency != merchant.settlement_currency:
                words = f"{command.party} is paid in {merchant.settlement_currency}."
                raise CurrencyMismatch(words, pointer="/currency", currency=merchant.settlement_currency)
            return merchant.settlement.payout_fee, merchant.settlement.approve_above
        case "principal":
            principal = principal_named(books, command.party)
            return principal.fee, principal.approve_above
        case "customer":
            if not customer_exists(books, command.party):
                raise CustomerNotFound(customer=command.party)
            if not wallet_exists(books, command.party, command.currency):
                raise WalletNotFound(customer=command.party, currency=command.currency)
            return 0, None
        case other:
            raise AssertionError(f"nobody is paid out of {other}")


def _all_of(found: list[Refusal]) -> Refusal:
    """The first refusal, which names the fields of all of them."""
    first = found[0]
    first.errors = tuple(error for refusal in found for error in refusal.errors)
    return first


def _reserved(created: events.PayoutCreated) -> Event:
    return events.PayoutReserved(
        id=created.id,
        source=created.source,
        party=created.party,
        channel=created.channel,
        amount=created.amount,
        currency=created.currency,
        fee=created.fee,
        destination=created.destination,
    )


def approve(books: Books, command: ApprovePayout, envelope: Envelope) -> Decision:
    payout = _waiting(books, command.id)
    if envelope.who == payout.maker:
        raise SelfApproval(payout=command.id)
    return _answered(books, command.id, [events.PayoutApproved(command.id), _reserved(payout.created)], status=202)


def cancel(books: Books, command: CancelPayout, envelope: Envelope) -> Decision:
    _waiting(books, command.id)
    return _answered(books, command.id, [events.PayoutCanceled(command.id, command.reason)], status=200)


def _waiting(books: Books, name: str) -> Payout:
    payout = fold(books.recorded(name)) if name.startswith(PAYOUT) else None
    if payout is None:
        raise PayoutNotFound(payout=name)
    if payout.status != CREATED:
        words = f"The payout is {payout.status}."
        raise PayoutStateInvalid(words, payout=name, payout_status=payout.status, expected_status=CREATED)
    return payout


def _answered(books: Books, name: str, decided: list[Event], *, status: int) -> Decision:
    view = payout_view(imagined(books, name, decided))
    view.position = None
    return Decision(with_accounts(books, [(name, event) for event in decided]), view, status)


# --- what became of it ----------------------------------------------------------------------------------------------


def record_result(books: Books, command: RecordPayoutResult, envelope: Envelope) -> Decision:
    payout = _sent(books, command.payout, command.channel)
    name, still_open = command.payout, payout.status in OPEN
    verdict = _as_asked(command.verdict, payout)
    match verdict:
        case PaidOut() if verdict.channel_reference in (payout.reference, *payout.unapplied):
            return without_effect(name, "duplicate", payout.position)
        case PaidOut() if still_open:
            return with_effect(books, name, [_paid(payout, verdict.channel_reference)], name, "recorded")
        case PaidOut() if payout.status == RETURNED and not payout.reference:
            # Its return was told first, and with it that it had been paid.
            return without_effect(name, "ignored", payout.position)
        case PaidOut():
            unapplied = events.PayoutUnapplied(
                id=name,
                channel=command.channel,
                channel_reference=verdict.channel_reference,
                amount=payout.created.amount,
                currency=payout.created.currency,
                because=f"the payout is {payout.status} already",
                prefunded=payout.created.prefunded,
            )
            return with_effect(books, name, [unapplied], name, "unapplied")
        case PayoutReturned() if verdict.channel_reference in payout.returns:
            return without_effect(name, "duplicate", payout.position)
        case PayoutReturned() if still_open:
            back = [_paid(payout, ""), *_returned(payout, verdict)]
            return with_effect(books, name, back, name, "recorded")
        case PayoutReturned() if payout.status == PAID:
            return with_effect(books, name, _returned(payout, verdict), name, "recorded")
        case PayoutReturned():
            return with_effect(books, name, [_return_unapplied(payout, verdict)], name, "unapplied")
        case PayoutDeclined() if still_open and not payout.bank_account:
            return with_effect(books, name, [_rejected(payout, verdict)], name, "recorded")
        case Unknown() if _is_news(verdict, payout):
            return with_effect(books, name, [events.PayoutUnanswered(name, verdict.reason)], name, "recorded")
        case _:
            # NotSent too: we owe the receiver this money, so it is sent again, under the same id.
            return without_effect(name, "ignored", payout.position)


def _as_asked(verdict: Verdict, payout: Payout) -> Verdict:
    created = payout.created
    if isinstance(verdict, PayoutReturned) and (verdict.amount, verdict.currency) != (created.amount, created.currency):
        return AMOUNT_MISMATCH
    return as_asked(verdict, created.amount, created.currency)


def _is_news(silence: Unknown, payout: Payout) -> bool:
    """The first silence is news, then that the channel has it after all, and once one about another sum."""
    if payout.status not in OPEN or silence.reason in payout.unanswered:
        return False
    return silence == AMOUNT_MISMATCH or silence.reason == HAS_IT or payout.status == IN_TRANSIT


def _paid(payout: Payout, reference: str) -> Event:
    created, terms = payout.created, terms_of(payout.created.channel)
    return events.PayoutPaid(
        id=created.id,
        source=created.source,
        party=created.party,
        channel=created.channel,
        channel_reference=reference,
        amount=created.amount,
        currency=created.currency,
        prefunded=created.prefunded,
        channel_fee=terms.payout_fee if terms is not None and created.prefunded else 0,
    )


def _rejected(payout: Payout, declined: PayoutDeclined) -> Event:
    created = payout.created
    return events.PayoutRejected(
        id=created.id,
        source=created.source,
        party=created.party,
        amount=created.amount,
        currency=created.currency,
        fee=created.fee,
        group=declined.reason,
        message=declined.message,
    )


def _returned(payout: Payout, verdict: PayoutReturned) -> list[Event]:
    """Two steps on purpose: what is in transit shows the return."""
    created = payout.created
    returned = events.PayoutReturned(
        id=created.id,
        source=created.source,
        party=created.party,
        channel=created.channel,
        channel_reference=verdict.channel_reference,
        amount=created.amount,
        currency=created.currency,
        prefunded=created.prefunded,
        bank_account=payout.bank_account,
        channel_code=verdict.channel_code,
        message=verdict.message,
    )
    given_back = events.PayoutGivenBack(created.id, created.source, created.party, created.amount, created.currency)
    return [returned, given_back]


def _return_unapplied(payout: Payout, verdict: PayoutReturned) -> Event:
    created = payout.created
    return events.PayoutReturnUnapplied(
        id=created.id,
        channel=created.channel,
        channel_reference=verdict.channel_reference,
        amount=created.amount,
        currency=created.currency,
        because=f"the payout is {payout.status} already",
        prefunded=created.prefunded,
    )


def record_debit(books: Books, command: RecordPayoutDebit, envelope: Envelope) -> Decision:
    payout = _sent(books, command.payout, None)
    created = payout.created
    if payout.bank_account:
        return without_effect(created.id, "duplicate", payout.position)
    if created.prefunded or not payout.in_transit:
        # Given back, or paid out of a float: then this line of the statement is about something else.
        raise PayoutStateInvalid(
            f"The payout is {payout.status}, and nothing of it is in transit.",
            payout=created.id,
            payout_status=payout.status,
            expected_status=PAID,
        )
    debited = events.PayoutDebited(
        created.id, created.source, created.party, command.bank_account, created.amount, created.currency
    )
    return with_effect(books, created.id, [debited], created.id, "recorded")


def _sent(books: Books, name: str, channel: str | None) -> Payout:
    """A payout that was sent, to this channel if one is named: a channel speaks for what was sent to it."""
    payout = fold(books.recorded(name)) if name.startswith(PAYOUT) else None
    if payout is None or payout.status not in (*OPEN, PAID, RETURNED, REJECTED):
        raise PayoutNotFound(payout=name, channel=channel)
    if channel not in (None, payout.created.channel):
        raise PayoutNotFound(payout=name, channel=channel)
    return payout


_STREAMS = {MERCHANT: merchant_stream, PRINCIPAL: principal_stream, CUSTOMER: customer_stream}


def _create_needs(command: CreatePayout) -> Needs:
    whose = (command.source, command.party, command.currency)
    accounts = (owner_account(*whose), in_transit_account(*whose))
    streams = (command.id, _STREAMS[command.source](command.party))
    return Needs(accounts=accounts, streams=streams, latest=streams_of_routing(command.destination.type))


def _needs(command: ApprovePayout | CancelPayout) -> Needs:
    return Needs(streams=(command.id,))


def _result_needs(command: RecordPayoutResult | RecordPayoutDebit) -> Needs:
    return Needs(streams=(command.payout,))


DECIDERS: dict[type[Command], Decider] = {
    CreatePayout: Decider(create, _create_needs),
    ApprovePayout: Decider(approve, _needs),
    CancelPayout: Decider(cancel, _needs),
    RecordPayoutResult: Decider(record_result, _result_needs),
    RecordPayoutDebit: Decider(record_debit, _result_needs),
}
