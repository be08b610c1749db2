"""Conduct: how the simulator treats one request: what it decides, how it answers, how it calls back.

A token says it for one payment: `tok_<decline code>`, `tok_<fault>`, `tok_late_decline`; `tok_refund_<…>` says it for
the refunds of a charge that itself goes well. Any other token is approved. The fault plan says it for many payments.
"""

from msgspec import Struct, structs

DECLINES: dict[str, str] = {
    "insufficient_funds": "Not enough money on the account.",
    "card_velocity_exceeded": "The card's limit has been reached.",
    "expired_card": "The card has expired.",
    "incorrect_number": "There is no card of this number.",
    "incorrect_cvc": "The security code is wrong.",
    "incorrect_address": "The address does not fit.",
    "authentication_required": "The cardholder has to be asked.",
    "card_not_supported": "The card does not allow this.",
    "invalid_account": "The account is closed.",
    "generic_decline": "Declined.",
    "do_not_honor": "The issuer declined without a reason.",
    "do_not_try_again": "The issuer declined for good.",
    "try_again_later": "Try again later.",
    "issuer_not_available": "The issuer did not answer.",
    "fraudulent": "Suspected fraud.",
    "lost_card": "The card is reported lost.",
    "stolen_card": "The card is reported stolen.",
    "revocation_of_authorization": "The cardholder has ended the agreement.",
    "duplicate_transaction": "This was charged a moment ago.",
    "amount_too_large": "The amount is above the limit.",
}

# Beside these: decline:<code>, and late_success, which answers pending and tells later, by callback, what became of it.
ANSWER_FAULTS = frozenset(
    {
        "timeout_before",  # nothing is done, and no answer comes
        "timeout_after",  # it is done, and no answer comes
        "error_500_before",  # nothing is done, and the answer is 500
        "error_500_after",  # it is done, and the answer is 500
        "hang",  # it is done and answered after a long while, when the caller has long gone
        "malformed_body",  # it is done, and the answer breaks off
        "wrong_amount",  # it is done, and the answer names one minor unit more
    }
)
CALLBACK_FAULTS = frozenset(
    {
        "late_callback",
        "duplicate_callback",  # the same message twice
        "wrong_signature_callback",  # the first delivery is signed with another secret; the repetitions are right
        "no_callback",
    }
)
LONGEST_DELAY_MS = 30_000


class Conduct(Struct, frozen=True):
    """How one request is treated; the default is to approve, answer, and call back at once."""

    decline: str | None = None
    late_ms: int | None = None  # None: decided at once
    answer: str | None = None
    hang_ms: int = LONGEST_DELAY_MS
    callback: str | None = None
    callback_after_ms: int = 0

    def with_fault(self, fault: str, delay_ms: int | None = None) -> "Conduct":
        """This conduct and one fault more; raises ValueError for a fault that does not exist."""
        match fault.partition(":"):
            case "decline", ":", code if code in DECLINES:
                return structs.replace(self, decline=code)
            case "late_success", "", "":
                return structs.replace(self, late_ms=1_000 if delay_ms is None else delay_ms)
            case "hang", "", "":
                return structs.replace(self, answer=fault, hang_ms=LONGEST_DELAY_MS if delay_ms is None else delay_ms)
            case "late_callback", "", "":
                return structs.replace(self, callback=fault, callback_after_ms=3_000 if delay_ms is None else delay_ms)
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
    return "callback" if fault in CALLBACK_FAULTS else "decision"


_BY_TOKEN: dict[str, Conduct] = (
    {f"tok_{code}": Conduct(decline=code) for code in DECLINES}
    | {f"tok_{fault}": Conduct().with_fault(fault) for fault in ANSWER_FAULTS | CALLBACK_FAULTS}
    | {"tok_late": Conduct(late_ms=1_000), "tok_late_decline": Conduct(late_ms=1_000, decline="generic_decline")}
)


def charge_conduct(token: str) -> Conduct:
    return _BY_TOKEN.get(token, Conduct())


def refund_conduct(charge_token: str) -> Conduct:
    prefix, _, rest = charge_token.partition("tok_refund_")
    return _BY_TOKEN.get(f"tok_{rest}", Conduct()) if not prefix else Conduct()
