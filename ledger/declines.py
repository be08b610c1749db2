"""Declines: what a payer reads and may do next, for each group of reasons for which a channel says no.

A text says what happened, whether money moved where that could be doubted, and what to do. Why fraud control said no
is never told.
"""

import msgspec


class Failure(msgspec.Struct, frozen=True):
    """Why something was not paid: the group of the reason, a sentence for the payer, and what the payer can do."""

    code: str
    message: str
    next_action: str


# group -> (what the payer reads, what to do next)
_TEXTS: dict[str, tuple[str, str]] = {
    "insufficient_funds": (
        "There isn't enough money on this card. Use another one, or add money and try again.",
        "other_method",
    ),
    "limit_exceeded": ("This card has reached a limit set by your bank.", "other_method"),
    "card_expired": ("The expiry date is wrong or has passed.", "correct_details"),
    "wrong_number": ("Check the card number.", "correct_details"),
    "wrong_cvc": ("Check the security code.", "correct_details"),
    "address_mismatch": ("The billing address does not match the bank's.", "correct_details"),
    "authentication_required": ("Your bank wants to make sure that it is you.", "step_up"),
    "authentication_failed": ("We couldn't confirm it with your bank. Try again.", "step_up"),
    "not_supported": ("This card can't be used here.", "other_method"),
    "account_invalid": ("This account is not active.", "other_method"),
    "generic_decline": ("Your bank did not approve it and gives no reason.", "contact_bank"),
    "try_again": ("Something at the bank didn't answer. You haven't been charged. Try again.", "retry"),
    "blocked": ("This payment could not be made. Use another method.", "other_method"),
    "mandate_ended": ("The agreement for automatic payments has ended.", "sign_again"),
    "duplicate": ("This looks like the same payment again. We've stopped the second one.", "show_first"),
    "session_expired": ("The page was open too long. Start again; you haven't been charged.", "restart"),
    "cancelled_by_user": ("You cancelled. Nothing was charged.", "restart"),
    "configuration": ("Something went wrong on our side. Choose another method.", "other_method"),
    "integration": ("Something went wrong on our side. Choose another method.", "developer"),
    "amount_limits": ("The amount is below or above what this method allows.", "other_method"),
}
GROUPS = frozenset(_TEXTS)


def failure_of(group: str) -> Failure:
    """What is told about this group; a group that is not known here reads as a decline without a reason."""
    message, next_action = _TEXTS.get(group, _TEXTS["generic_decline"])
    return Failure(group, message, next_action)
