"""Approval policy: what a second person has to agree to in a book. While there is one, two people change it."""

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.currencies import asset_of
from ledger.events.approvals import DEFAULT_EXPIRY_S, POLICY_STREAM, ApprovalPolicyChanged


class ChangeApprovalPolicy(Command, frozen=True):
    """Set the whole policy anew; the fields are those of ApprovalPolicyChanged."""

    reason: str
    transfers: dict[str, int] | None = None
    entries: dict[str, int] | None = None
    payouts: dict[str, int] | None = None
    reversals: bool = False
    account_limits: bool = False
    only_persons: bool = False
    expire_after_s: int = DEFAULT_EXPIRY_S


class ApprovalPolicyReceipt(Receipt):
    """The policy as it is after the command; version 0: there never was one."""

    version: int = 0
    transfers: dict[str, int] | None = None
    entries: dict[str, int] | None = None
    payouts: dict[str, int] | None = None
    reversals: bool = False
    account_limits: bool = False
    only_persons: bool = False
    expire_after_s: int = DEFAULT_EXPIRY_S
    reason: str = ""


def change(books: Books, command: ChangeApprovalPolicy, envelope: Envelope) -> Decision:
    for limits in (command.transfers, command.entries, command.payouts):
        for currency in limits or {}:
            asset_of(currency)
    last = books.latest(POLICY_STREAM)
    before = 0 if last is None or not isinstance(last.event, ApprovalPolicyChanged) else last.event.version
    changed = ApprovalPolicyChanged(
        before + 1,
        command.reason,
        command.transfers,
        command.entries,
        command.payouts,
        command.reversals,
        command.account_limits,
        command.only_persons,
        command.expire_after_s,
    )
    return Decision([(POLICY_STREAM, changed)], receipt_of(changed), status=200)


def receipt_of(policy: ApprovalPolicyChanged) -> ApprovalPolicyReceipt:
    """The policy as it is told."""
    return ApprovalPolicyReceipt(
        version=policy.version,
        transfers=policy.transfers,
        entries=policy.entries,
        payouts=policy.payouts,
        reversals=policy.reversals,
        account_limits=policy.account_limits,
        only_persons=policy.only_persons,
        expire_after_s=policy.expire_after_s,
        reason=policy.reason,
    )


DECIDERS: dict[type[Command], Decider] = {
    ChangeApprovalPolicy: Decider(change, lambda command: Needs(latest=(POLICY_STREAM,)))
}
