"""Conduct: how the simulator treats one request: what it decides, how it answers, how it calls back.

A token says it for one payment: `tok_<decline code>`, `tok_<fault>`, `tok_late_decline`, `tok_sms`; `tok_refund_<…>`
says it for the refunds of a charge that itself goes well, and so for captures, voids and increments. Several are joined
by `+`: `tok_sms+tok_refund_returned`. Any other token is approved. The fault plan says it for many payments.
"""

import re
from typing import Literal

from msgspec import Struct, structs

from commands.channels.channel import Action

DECLINES: dict[str, str] = {
    "insufficient_funds": "Not enough money on the account.",
    "card_velocity_exceeded": "The card's limit has been reached.",
    "expired_card": "The card has expired.",
    "incorrect_number": "There is no card of this number.",
    "incorrect_cvc": "The security code is wrong.",
    "incorrect_address": "The address does not fit.",
    "authentication_required": "The cardholder has to be asked.",
    "authentication_failed": "The cardholder did not prove that it is him.",
    "card_not_supported": "The card does not allow this.",
    "invalid_account": "The account is closed.",
    "generic_decline": "Declined.",
    "do_not_honor": "The issuer declined without a reason.",
    "do_not_try_again": "The issuer declined for good.",
    "try_again_later": "Try again later.",
    "issuer_not_available": "The issuer did not answer.",
    "processing_error": "The issuer's answer could not be read.",
    "fraudulent": "Suspected fraud.",
    "lost_card": "The card is reported lost.",
    "stolen_card": "The card is reported stolen.",
    "revocation_of_authorization": "The cardholder has ended the agreement.",
    "duplicate_transaction": "This was charged a moment ago.",
    "amount_too_large": "The amount is above the limit.",
    "canceled_by_payer": "The payer gave it up.",
    "expired": "Nobody paid in time.",
    "voided": "It was let go.",
    "charge_already_refunded": "It was given back before.",
}

# Beside these: decline:<code>, and late_success, which answers pending and tells later, by callback, what became of it.
ANSWER_FAULTS = frozenset(
    {
        "timeout_before",  # nothing is done, and no answer comes
        "timeout_after",  # it is done, and no answer comes
        "error_500_before",  # nothing is done, and the answer is 500
        "error_500_after",  # it is done, and the answer is 500
        "hang",  # it is done and answered after a long while, when the caller has long gone
        "arrives_late",  # no answer comes, and it is done a while later: until then nobody knows of it
        "malformed_body",  # it is done, and the answer breaks off
        "wrong_amount",  # it is done, and the answer names one minor unit more
        "wrong_currency",  # it is done, and the answer names another currency
    }
)
# Of these, what comes before anything is done.
BEFORE = frozenset({"timeout_before", "error_500_before", "hang", "arrives_late"})
CALLBACK_FAULTS = frozenset(
    {
        "late_callback",
        "duplicate_callback",  # the same message twice
        "reordered_callback",  # it waits until a later message was delivered, or for 3 s
        "altered_callback",  # the first delivery was altered on its way; the repetitions are right
        "wrong_signature_callback",  # the first delivery is signed with another secret; the repetitions are right
        "wrong_amount_callback",  # rightly signed, and it names one minor unit more
        "wrong_currency_callback",  # rightly signed, and it names another currency
        "no_callback",
    }
)
LONGEST_DELAY_MS = 30_000
ANOTHER_CURRENCY = "XTS"
CODE = "123456"
AT_ONCE = "tok_at_once"  # the payer is not asked, whatever the channel usually does
_RETURNED_AFTER_MS = 1_000
_LATE_MS = 1_000
_ARRIVES_AFTER_MS = 1_500
_OVERTAKEN_AFTER_MS = 3_000


class Conduct(Struct, frozen=True, omit_defaults=True):
    """How one request is treated; the default is to approve, answer, and call back at once."""

    decline: str | None = None
    late_ms: int | None = None  # None: decided at once
    answer: str | None = None
    hang_ms: int = LONGEST_DELAY_MS
    callback: str | None = None
    callback_after_ms: int = 0
    action: Action | None = None  # what the payer is asked to do first
    partial: int | None = None  # hundredths of what was asked that an authorization is over
    expires_ms: int | None = None  # after so long an authorization or an open action is over
    returned_ms: int | None = None  # so long after its success the money comes back

    def with_fault(self, fault: str, delay_ms: int | None = None) -> "Conduct":
        """This conduct and one fault more; raises ValueError for a fault that does not exist."""

        def after(usual_ms: int) -> int:
            return usual_ms if delay_ms is None else delay_ms

        match fault.partition(":"):
            case "decline", ":", code if code in DECLINES:
                return structs.replace(self, decline=code)
            case "late_success", "", "":
                return structs.replace(self, late_ms=after(_LATE_MS))
            case "returned", "", "":
                return structs.replace(self, returned_ms=after(_RETURNED_AFTER_MS))
            case "hang", "", "":
                return structs.replace(self, answer=fault, hang_ms=after(LONGEST_DELAY_MS))
            case "arrives_late", "", "":
                return structs.replace(self, answer=fault, hang_ms=after(_ARRIVES_AFTER_MS))
            case "late_callback", "", "":
                return structs.replace(self, callback=fault, callback_after_ms=after(3_000))
            case "reordered_callback", "", "":
                return structs.replace(self, callback=fault, callback_after_ms=after(_OVERTAKEN_AFTER_MS))
            case name, "", "" if name in ANSWER_FAULTS:
                return structs.replace(self, answer=name)
            case name, "", "" if name in CALLBACK_FAULTS:
                return structs.replace(self, callback=name)
            case _:
                raise ValueError(f"there is no fault {fault}")


def aspect(fault: str) -> str:
    """Which part of the conduct a fault is about; of one part only the first fault counts."""
    if fault in ANSWER_FAULTS:
        return "answer"
    if fault in CALLBACK_FAULTS:
        return "callback"
    return "return" if fault == "returned" else "decision"


_ACTIONS: dict[str, Action] = {"sms": "sms_code", "three_ds": "three_ds", "redirect": "redirect", "qr": "qr_code"}
_BY_WORD: dict[str, Conduct] = (
    {code: Conduct(decline=code) for code in DECLINES}
    | {fault: Conduct().with_fault(fault) for fault in (*ANSWER_FAULTS, *CALLBACK_FAULTS, "returned")}
    | {"late": Conduct(late_ms=_LATE_MS), "late_decline": Conduct(late_ms=_LATE_MS, decline="generic_decline")}
    | {word: Conduct(action=action) for word, action in _ACTIONS.items()}
    | {"declined": Conduct(decline="generic_decline"), "3ds": Conduct(action=_ACTIONS["three_ds"])}
)
_NUMBERED = re.compile(r"(partial|expires)_([0-9]{1,6})")
_OF_THE_CHARGE: Literal["charge"] = "charge"
About = Literal["charge", "capture", "void", "increment", "extend", "refund"]
_ABOUT_CHANGES = re.compile(r"(capture|void|increment|extend|refund)_(.+)")


def conduct_for(token: str, about: About = _OF_THE_CHARGE) -> Conduct:
    """How this token wants a charge treated, or what is done with the charge later."""
    conduct = Conduct()
    for part in token.split("+"):
        word = part.removeprefix("tok_")
        if word == part:
            continue
        if (later := _ABOUT_CHANGES.fullmatch(word)) is not None:
            subject, word = later.groups()
        else:
            subject = _OF_THE_CHARGE
        if subject == about:
            conduct = _joined(conduct, conduct_of_word(word))
    return conduct


def conduct_of_word(word: str) -> Conduct:
    """The conduct behind one word, `stolen_card` or `expires_5`; the usual one if there is none."""
    match _NUMBERED.fullmatch(word):
        case None:
            return _BY_WORD.get(word, Conduct())
        case found if found[1] == "partial":
            return Conduct(partial=min(100, int(found[2])))
        case found:
            return Conduct(expires_ms=int(found[2]) * 1_000)


def _joined(one: Conduct, other: Conduct) -> Conduct:
    """Both; where both say something of one thing, the second."""
    usual = Conduct()
    said = {name: value for name, value in structs.asdict(other).items() if value != getattr(usual, name)}
    return structs.replace(one, **said)
