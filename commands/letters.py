"""Letters: what payers read, in their language: a code, that they have paid, that they have money back."""

import msgspec

from ledger.languages import Language
from ledger.money import Money


class Letter(msgspec.Struct, frozen=True):
    """What is sent to somebody; `secret` is the part that nobody else may read, if there is one. Not to be logged."""

    title: str
    body: str
    secret: str = ""

    def __repr__(self) -> str:
        return "Letter(…)"


def letter_with_code(language: Language, code: str, amount: Money, merchant: str, minutes: int) -> Letter:
    """The code, what it is good for, and that it is for nobody else's ears. The title does not tell it.

    Whoever was talked into reading his code to somebody sees the amount and the name, and that they are not his.
    """
    if language == "zh":
        return Letter(
            f"确认向 {merchant} 支付 {amount}",
            f"验证码 {code}，用于确认向 {merchant} 支付 {amount}，{minutes} 分钟内有效。"
            "请勿告知任何人，包括我们的工作人员。若非本人操作，请忽略本消息，不会扣款。",
            code,
        )
    valid = "1 minute" if minutes == 1 else f"{minutes} minutes"
    return Letter(
        f"Confirm your payment of {amount} to {merchant}",
        f"{code} is your code for paying {amount} to {merchant}. It is valid for {valid}. Tell it to nobody, not even"
        " to us. If this is not your payment, ignore this message: nothing is charged without the code.",
        code,
    )


def letter_of_payment(language: Language, amount: Money, merchant: str, order: str) -> Letter:
    """That a payment succeeded."""
    if language == "zh":
        return Letter(
            f"已向 {merchant} 支付 {amount}",
            f"您已成功向 {merchant} 支付 {amount}。订单号：{order}。如有疑问，请联系 {merchant}。",
        )
    return Letter(
        f"You paid {amount} to {merchant}",
        f"Your payment of {amount} to {merchant} went through. Order: {order}. If you have a question about it, please"
        f" ask {merchant}.",
    )


def letter_of_refund(language: Language, amount: Money, merchant: str, order: str) -> Letter:
    """That a refund succeeded; when it shows on an account is for its bank to say."""
    if language == "zh":
        return Letter(
            f"{merchant} 已向您退款 {amount}",
            f"{merchant} 已向您退款 {amount}，订单号：{order}。款项将退回原支付渠道，到账时间以银行为准。",
        )
    return Letter(
        f"{merchant} refunded {amount} to you",
        f"{merchant} has given {amount} back to you. Order: {order}. It goes back the way you paid; your bank may take"
        " some days to show it.",
    )
