"""Next steps: what each answer of a channel leads to. Pure: a call and a verdict in, a step out.

    due ──sent──▶ an outcome                                  done, and recorded
                  silence, a broken answer, "pending"         sent: ask what became of it, later and later, for ever
                  the payer has to act     a charge           sent: ask whether he is done
                  nothing was ever sent    a charge           done: declined, the payer may try again
                                           a refund           due: we owe it, so it is sent again
    sent ─asked─▶ the channel knows no such id, twice         due: it never came; sent again under the same id

Time alone decides nothing: an outcome that nobody knows stays unknown.
"""

from typing import Literal

import msgspec

from commands.channels.channel import (
    NOT_SUPPORTED,
    ActionRequired,
    Authorized,
    CoinsSeen,
    ContractSigned,
    NotFound,
    NotSent,
    Unknown,
    Verdict,
    as_asked,
)
from commands.channels.requests import (
    AcceptDispute,
    ChallengeDispute,
    ChannelRequest,
    Charge,
    ConfirmCharge,
    Errand,
    SignContract,
    TerminateContract,
)

State = Literal["due", "sent", "done"]

# How long to wait before the n-th question; the last one goes on for ever.
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
# What nobody knows after so many questions, about an hour, is for people to look at; it is asked on, more rarely.
UNRESOLVED_AFTER_TRIES = 60
PAUSE_WHEN_UNRESOLVED_S = 900.0
# A request may still be on its way when the channel is first asked: it is believed the second time.
NOT_FOUND_IS_BELIEVED_AFTER = 2
# The word for an answer of that kind in the work list.
ACTION_REQUIRED = ActionRequired.__name__
AUTHORIZED = Authorized.__name__


class Call(msgspec.Struct, frozen=True):
    """A call that was claimed. `was`: the state it was claimed in; `sends` counts the sending it was claimed for."""

    id: str
    channel: str
    request: Errand
    was: State
    sends: int
    tries: int
    not_found: int
    last_answer: str | None

    @property
    def kind(self) -> str:
        """The errand's own word, such as `charge`."""
        return str(self.request.__struct_config__.tag)


class Step(msgspec.Struct, frozen=True):
    """What becomes of the call: its state, the pause before it is taken up again, and what is recorded."""

    state: State
    pause_s: float = 0
    tries: int = 0
    not_found: int = 0
    record: Verdict | None = None


def question_of(call: Call) -> ChannelRequest:
    """What the channel is asked now: the errand itself while it was never sent, else what became of it."""
    return call.request if call.was == "due" else call.request.question()


def pause_s(tries: int) -> float:
    return PAUSE_WHEN_UNRESOLVED_S if tries >= UNRESOLVED_AFTER_TRIES else PAUSES_S[min(tries, len(PAUSES_S) - 1)]


def becomes_unresolved(call: Call, step: Step) -> bool:
    """Whether this is the question after which an unknown outcome is for people to see: an outcome is never guessed."""
    return step.state == "sent" and call.tries < UNRESOLVED_AFTER_TRIES <= step.tries and not _is_the_payer_s_turn(call)


def _is_the_payer_s_turn(call: Call) -> bool:
    return call.last_answer in (ACTION_REQUIRED, AUTHORIZED)


def ask_again(call: Call, *, not_found: int = 0, record: Verdict | None = None) -> Step:
    """It may have happened: the only safe thing is to ask."""
    return Step("sent", pause_s(call.tries), call.tries + 1, not_found, record)


def send_again(call: Call) -> Step:
    """It surely did not happen; the channel does a thing once for each id, should that ever prove wrong."""
    return Step("due", pause_s(call.sends - 1), call.tries)


def step_after(call: Call, verdict: Verdict) -> Step:
    """What becomes of the call now that this was answered to `question_of` it."""
    judged = _as_asked(call.request, verdict)
    match judged:
        case ContractSigned() if isinstance(call.request, TerminateContract):
            return send_again(call)
        case ActionRequired() if isinstance(call.request, Charge) or _asks_for_a_signature(call.request):
            # The payer's turn: his channel will call, and is asked from time to time whether he is done.
            return ask_again(call, record=None if call.last_answer == ACTION_REQUIRED else judged)
        case ActionRequired() if _tells_an_answer(call.request) and call.was == "sent":
            # Did the answer not come there, or was it wrong? Only the answer itself, once more, can tell.
            return send_again(call)
        case Authorized() if isinstance(call.request, Charge) and call.request.capture:
            # The channel goes on by itself: what is held will be taken, or not.
            return ask_again(call, record=None if call.last_answer == AUTHORIZED else judged)
        case CoinsSeen():
            # There may come more of them; what they were enough for ends the call.
            return ask_again(call, record=judged)
        case NotFound() if call.not_found + 1 < NOT_FOUND_IS_BELIEVED_AFTER:
            return ask_again(call, not_found=call.not_found + 1)
        case NotFound():
            return send_again(call)
        case NotSent() if judged == NOT_SUPPORTED and isinstance(call.request, AcceptDispute | ChallengeDispute):
            # No answer ever left us: it is told by hand. Where only the question is unknown, the answer itself tells.
            return send_again(call) if call.was == "sent" else Step("done", tries=call.tries, record=judged)
        case NotSent() if call.was == "sent":
            return ask_again(call, not_found=call.not_found)
        case NotSent() if call.sends == 1 and not call.request.owed:
            return Step("done", tries=call.tries, record=judged)
        case NotSent():
            return send_again(call)
        case Unknown(reason):
            return ask_again(call, record=None if reason == call.last_answer else judged)
        case _:
            return Step("done", tries=call.tries, record=judged)


def _asks_for_a_signature(request: Errand) -> bool:
    """What carries the payer's answer ends with the channel's next question instead."""
    return isinstance(request, SignContract) and request.answer is None


def _tells_an_answer(request: Errand) -> bool:
    return isinstance(request, ConfirmCharge) or (isinstance(request, SignContract) and request.answer is not None)


def _as_asked(request: Errand, verdict: Verdict) -> Verdict:
    """The answer to a question carries no sum of ours, so it is compared here."""
    match request:
        case SignContract() | TerminateContract() | AcceptDispute() | ChallengeDispute():
            return verdict
        case _:
            return as_asked(verdict, request.amount, request.currency)
