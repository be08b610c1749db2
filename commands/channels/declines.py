"""Declines: the words of card issuers and acquirers, in our groups."""

from commands.channels.channel import DeclineReason

# The channel's code: our group, and whether the instrument is never to be tried again.
DECLINES: dict[str, tuple[DeclineReason, bool]] = {
    "insufficient_funds": ("insufficient_funds", False),
    "card_velocity_exceeded": ("limit_exceeded", False),
    "withdrawal_count_limit_exceeded": ("limit_exceeded", False),
    "payout_limit_exceeded": ("limit_exceeded", False),
    "expired_card": ("card_expired", False),
    "incorrect_number": ("wrong_number", False),
    "incorrect_cvc": ("wrong_cvc", False),
    "incorrect_address": ("address_mismatch", False),
    "authentication_required": ("authentication_required", False),
    "authentication_failed": ("authentication_failed", False),
    "incorrect_code": ("authentication_failed", False),
    "card_not_supported": ("not_supported", False),
    "currency_not_supported": ("not_supported", False),
    "transaction_not_allowed": ("not_supported", False),
    "invalid_account": ("account_invalid", True),
    "account_invalid": ("account_invalid", True),
    "account_closed": ("account_invalid", True),
    "name_mismatch": ("account_invalid", False),
    "generic_decline": ("generic_decline", False),
    "do_not_honor": ("generic_decline", False),
    "call_issuer": ("generic_decline", False),
    "do_not_try_again": ("generic_decline", True),
    "try_again_later": ("try_again", False),
    "processing_error": ("try_again", False),
    "issuer_not_available": ("try_again", False),
    "float_insufficient": ("configuration", False),
    "fraudulent": ("blocked", True),
    "merchant_blacklist": ("blocked", True),
    "lost_card": ("blocked", True),
    "stolen_card": ("blocked", True),
    "pickup_card": ("blocked", True),
    "revocation_of_authorization": ("mandate_ended", True),
    "duplicate_transaction": ("duplicate", False),
    "charge_already_refunded": ("duplicate", False),
    "amount_too_small": ("amount_limits", False),
    "amount_too_large": ("amount_limits", False),
    "canceled_by_payer": ("cancelled_by_user", False),
    "voided": ("cancelled_by_user", False),
    "expired": ("session_expired", False),
}

_LONGEST_MESSAGE = 200


def group_of(code: str) -> tuple[DeclineReason, bool]:
    """Our group, and whether it is for good; a code that nobody knows is a decline without a reason."""
    return DECLINES.get(code, ("generic_decline", False))


def shown(message: str) -> str:
    """A stranger's text, made safe to store and to show: printable and short."""
    return "".join(character for character in message if character.isprintable())[:_LONGEST_MESSAGE]
