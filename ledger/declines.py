"""Declines: what a payer reads and may do next, for each group of reasons for which something was not paid.

A text says what happened, whether money moved, and what to do, in English and in Chinese; codes are never in it. Why
fraud control said no is never told: those texts are neutral.
"""

import msgspec


class Texts(msgspec.Struct, frozen=True):
    """What the payer reads, by language (ISO 639-1)."""

    en: str
    zh: str


class Failure(msgspec.Struct, frozen=True):
    """Why something was not paid: the group of the reason, a sentence for the payer, and what the payer can do.

    `money_moved` is false where nothing was taken for certain; `message` is the English text.
    """

    code: str
    message: str
    next_action: str
    money_moved: bool
    texts: Texts


def _row(next_action: str, en: str, zh: str) -> tuple[str, Texts]:
    return next_action, Texts(en, zh)


_TABLE: dict[str, tuple[str, Texts]] = {
    "insufficient_funds": _row(
        "other_method",
        "There isn't enough money on this card. You haven't been charged. Use another one, or add money and try again.",
        "卡内余额不足，未扣款。请换一张卡，或充值后重试。",
    ),
    "limit_exceeded": _row(
        "other_method",
        "This card has reached a limit set by your bank. You haven't been charged. Use another one, or ask your bank.",
        "该卡已达到发卡行设定的限额，未扣款。请换一张卡，或联系发卡行。",
    ),
    "card_expired": _row(
        "correct_details",
        "The expiry date is wrong or has passed. You haven't been charged. Check it, or use another card.",
        "有效期有误或已过期，未扣款。请核对有效期，或换一张卡。",
    ),
    "wrong_number": _row(
        "correct_details",
        "This card number doesn't exist. You haven't been charged. Check the card number.",
        "卡号不正确，未扣款。请核对卡号。",
    ),
    "wrong_cvc": _row(
        "correct_details",
        "The security code is wrong. You haven't been charged. Check the security code.",
        "安全码不正确，未扣款。请核对安全码。",
    ),
    "address_mismatch": _row(
        "correct_details",
        "The billing address does not match the bank's. You haven't been charged. Check the address.",
        "账单地址与银行预留的不一致，未扣款。请核对地址。",
    ),
    "authentication_required": _row(
        "step_up",
        "Your bank wants to make sure that it is you. You haven't been charged. Try again and confirm it.",
        "银行需要确认是您本人操作，未扣款。请重试并完成验证。",
    ),
    "authentication_failed": _row(
        "step_up",
        "We couldn't confirm that it is you. You haven't been charged. Try again, or use another method.",
        "身份验证未通过，未扣款。请重试，或换一种支付方式。",
    ),
    "not_supported": _row(
        "other_method",
        "This card can't be used here. You haven't been charged. Use another method.",
        "此处不支持该卡，未扣款。请换一种支付方式。",
    ),
    "account_invalid": _row(
        "other_method",
        "This account is not active. You haven't been charged. Use another method.",
        "该账户不可用，未扣款。请换一种支付方式。",
    ),
    "generic_decline": _row(
        "contact_bank",
        "Your bank did not approve it and gives no reason. You haven't been charged. Ask it, or use another method.",
        "银行未批准此次付款且未说明原因，未扣款。请联系银行，或换一种支付方式。",
    ),
    "try_again": _row(
        "retry",
        "Something at the bank didn't answer. You haven't been charged. Try again.",
        "银行系统暂时没有响应，未扣款。请重试。",
    ),
    "blocked": _row(
        "other_method",
        "This payment could not be made. You haven't been charged. Use another method.",
        "此次付款无法完成，未扣款。请换一种支付方式。",
    ),
    "mandate_ended": _row(
        "sign_again",
        "The agreement for automatic payments has ended. You haven't been charged. Sign again, or pay in another way.",
        "自动扣款协议已终止，未扣款。请重新签约，或用其他方式付款。",
    ),
    "duplicate": _row(
        "show_first",
        "This looks like the same payment again. We've stopped the second one; only the first counts.",
        "这笔付款与之前的重复，第二笔已被拦截，仅第一笔有效。",
    ),
    "session_expired": _row(
        "restart",
        "The page was open too long. Start again; you haven't been charged.",
        "页面已超时，请重新开始；未扣款。",
    ),
    "cancelled_by_user": _row(
        "restart",
        "You cancelled. Nothing was charged.",
        "您已取消，未扣款。",
    ),
    "configuration": _row(
        "other_method",
        "Something went wrong on our side. You haven't been charged. Choose another method.",
        "我们的系统出了问题，未扣款。请换一种支付方式。",
    ),
    "integration": _row(
        "developer",
        "Something went wrong on our side. You haven't been charged. Choose another method.",
        "我们的系统出了问题，未扣款。请换一种支付方式。",
    ),
    "amount_limits": _row(
        "other_method",
        "The amount is below or above what this method allows. You haven't been charged. Use another method.",
        "金额低于或高于该支付方式的限额，未扣款。请换一种支付方式。",
    ),
}
GROUPS = frozenset(_TABLE)

WAITING = Texts(
    "We're waiting for your bank. Don't pay again; we'll tell you as soon as we know.",
    "正在等待银行的结果，请勿重复付款；一有结果我们会立即通知您。",
)
"""What a payer reads while the outcome is not known, and money may have moved."""


def failure_of(group: str) -> Failure:
    """What is told about this group; a group that is not known here reads as a decline without a reason."""
    next_action, texts = _TABLE.get(group, _TABLE["generic_decline"])
    return Failure(group, texts.en, next_action, money_moved=False, texts=texts)


_NOT_GIVEN_BACK = Texts(
    "The money could not be given back in this way. It is still yours; the merchant will find another way.",
    "款项未能原路退回，仍归您所有；商户会以其他方式处理。",
)


def refund_failure_of(group: str) -> Failure:
    """What is told about a refund that failed for this group of reasons: the money did not go back."""
    return Failure(group, _NOT_GIVEN_BACK.en, "contact_merchant", money_moved=False, texts=_NOT_GIVEN_BACK)
