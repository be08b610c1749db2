"""Requests: what we ask of a payment channel, each under an id of ours that it does once for, however often we ask.

An errand changes something, a question only asks. Of each errand its caller knows: `id`, what the channel knows it by;
`subject`, whose state the answer is about; `question()`, how to ask what became of it; and `owed`. What we owe is sent
again until it came; what we only wished for is given up when it surely did not happen.
"""

from typing import ClassVar

from msgspec import Struct


class QueryCharge(Struct, frozen=True, tag_field="request", tag="query_charge"):
    """What became of the charge or authorization with our id?"""

    attempt_id: str


class QueryRefund(Struct, frozen=True, tag_field="request", tag="query_refund", omit_defaults=True):
    """What became of the refund with our id? `attempt_id` is the charge that it is of: some channels have to know."""

    refund_id: str
    attempt_id: str = ""


class QueryChange(Struct, frozen=True, tag_field="request", tag="query_change"):
    """What became of the capture, void, increment or extension with our id, of this charge?"""

    change_id: str
    attempt_id: str


class QueryPayout(Struct, frozen=True, tag_field="request", tag="query_payout"):
    """What became of the payout with our id?"""

    payout_id: str


class QueryContract(Struct, frozen=True, tag_field="request", tag="query_contract"):
    """How does the contract with our id stand?"""

    contract_id: str


class QueryDisputeAnswer(Struct, frozen=True, tag_field="request", tag="query_dispute_answer"):
    """What became of the answer with our id to a dispute, which the channel knows by its own reference?"""

    answer_id: str
    attempt_id: str
    dispute_reference: str


Question = QueryCharge | QueryRefund | QueryChange | QueryPayout | QueryContract | QueryDisputeAnswer


class Charge(Struct, frozen=True, tag_field="request", tag="charge", omit_defaults=True):
    """Take `amount` minor units, or with `capture` false only hold them. `attempt_id` is the channel's idempotency id.

    Sent twice, it charges once. `details` says what the method needs: `bank`, `phone`, `scene`, `coin` and the like.
    `contract`: the channel's reference of the contract under which the payer is charged without being asked.
    `authenticate`: have the payer prove that it is him, whatever the channel would do by itself.
    """

    attempt_id: str
    amount: int
    currency: str
    token: str
    order_reference: str
    merchant: str
    capture: bool = True
    method: str = "card"
    details: dict[str, str] = {}
    contract: str | None = None
    return_url: str | None = None
    authenticate: bool = False

    owed: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return self.attempt_id

    @property
    def subject(self) -> str:
        return self.attempt_id

    def question(self) -> Question:
        return QueryCharge(self.attempt_id)


class ConfirmCharge(Struct, frozen=True, tag_field="request", tag="confirm_charge"):
    """The payer's answer (a code from a message) to what the channel asked for. `confirm_id` is its idempotency id.

    It is answered like the charge: once more ActionRequired means that the answer was wrong, or not done yet.
    """

    confirm_id: str
    attempt_id: str
    channel_reference: str
    answer: str
    amount: int
    currency: str

    owed: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return self.confirm_id

    @property
    def subject(self) -> str:
        return self.confirm_id

    def question(self) -> Question:
        return QueryCharge(self.attempt_id)


class CaptureCharge(Struct, frozen=True, tag_field="request", tag="capture_charge"):
    """Take `amount` minor units of what is held; with `final` the rest is let go."""

    capture_id: str
    attempt_id: str
    channel_reference: str
    amount: int
    currency: str
    final: bool = False

    owed: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return self.capture_id

    @property
    def subject(self) -> str:
        return self.capture_id

    def question(self) -> Question:
        return QueryChange(self.capture_id, self.attempt_id)


class VoidCharge(Struct, frozen=True, tag_field="request", tag="void_charge", omit_defaults=True):
    """Let go of what is held, or close an order that nobody has paid yet. `amount` is what is open, in minor units.

    With `takes_back`, the id of a capture or of the charge itself, `amount` was taken on the same day and is to be as
    if it had not been: a capture's is held again, a charge's is the payer's again.
    """

    void_id: str
    attempt_id: str
    channel_reference: str
    amount: int
    currency: str
    takes_back: str = ""

    owed: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return self.void_id

    @property
    def subject(self) -> str:
        return self.void_id

    def question(self) -> Question:
        return QueryChange(self.void_id, self.attempt_id)


class IncrementCharge(Struct, frozen=True, tag_field="request", tag="increment_charge"):
    """Hold `amount` minor units more."""

    increment_id: str
    attempt_id: str
    channel_reference: str
    amount: int
    currency: str

    owed: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return self.increment_id

    @property
    def subject(self) -> str:
        return self.increment_id

    def question(self) -> Question:
        return QueryChange(self.increment_id, self.attempt_id)


class ExtendCharge(Struct, frozen=True, tag_field="request", tag="extend_charge"):
    """Hold what is held for longer. `amount` is what is held, in minor units; nothing is added to it."""

    extension_id: str
    attempt_id: str
    channel_reference: str
    amount: int
    currency: str

    owed: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return self.extension_id

    @property
    def subject(self) -> str:
        return self.extension_id

    def question(self) -> Question:
        return QueryChange(self.extension_id, self.attempt_id)


class RefundCharge(Struct, frozen=True, tag_field="request", tag="refund_charge"):
    """Give back `amount` minor units of a charge; `refund_id` is the channel's idempotency id."""

    refund_id: str
    attempt_id: str
    channel_reference: str
    amount: int
    currency: str

    owed: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return self.refund_id

    @property
    def subject(self) -> str:
        return self.refund_id

    def question(self) -> Question:
        return QueryRefund(self.refund_id, self.attempt_id)


class SendPayout(Struct, frozen=True, tag_field="request", tag="send_payout"):
    """Pay `amount` minor units to somebody's account; `payout_id` is the channel's idempotency id."""

    payout_id: str
    amount: int
    currency: str
    destination: dict[str, str]

    owed: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return self.payout_id

    @property
    def subject(self) -> str:
        return self.payout_id

    def question(self) -> Question:
        return QueryPayout(self.payout_id)


class SignContract(Struct, frozen=True, tag_field="request", tag="sign_contract"):
    """Ask the payer for an agreement to be charged, or with an `answer` confirm it by the code that he was sent.

    `replaces`: the channel's reference of an agreement that is to be charged to this method from now on; then
    `contract_id` is our id of the update, and the reference of the answer is what charges name once it is signed.
    """

    sign_id: str
    contract_id: str
    customer: str
    method: str
    details: dict[str, str] = {}
    answer: str | None = None
    return_url: str | None = None
    replaces: str | None = None

    owed: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return self.sign_id

    @property
    def subject(self) -> str:
        return self.contract_id

    def question(self) -> Question:
        return QueryContract(self.contract_id)


class TerminateContract(Struct, frozen=True, tag_field="request", tag="terminate_contract"):
    """End an agreement at the channel too."""

    end_id: str
    contract_id: str
    channel_reference: str

    owed: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return self.end_id

    @property
    def subject(self) -> str:
        return self.contract_id

    def question(self) -> Question:
        return QueryContract(self.contract_id)


class AcceptDispute(Struct, frozen=True, tag_field="request", tag="accept_dispute"):
    """Tell the payer's bank, in a dispute at this stage, that he may keep the money."""

    answer_id: str
    attempt_id: str
    dispute_reference: str
    stage: str

    owed: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return self.answer_id

    @property
    def subject(self) -> str:
        return self.answer_id

    def question(self) -> Question:
        return QueryDisputeAnswer(self.answer_id, self.attempt_id, self.dispute_reference)


class ChallengeDispute(Struct, frozen=True, tag_field="request", tag="challenge_dispute"):
    """Send the payer's bank what speaks against a dispute at this stage: texts by name."""

    answer_id: str
    attempt_id: str
    dispute_reference: str
    stage: str
    evidence: dict[str, str]

    owed: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return self.answer_id

    @property
    def subject(self) -> str:
        return self.answer_id

    def question(self) -> Question:
        return QueryDisputeAnswer(self.answer_id, self.attempt_id, self.dispute_reference)


Errand = (
    Charge
    | ConfirmCharge
    | CaptureCharge
    | VoidCharge
    | IncrementCharge
    | ExtendCharge
    | RefundCharge
    | SendPayout
    | SignContract
    | TerminateContract
    | AcceptDispute
    | ChallengeDispute
)
ChannelRequest = Errand | Question
