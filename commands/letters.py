"""Letters: what a payer reads beside a one-time code, in his language."""

import msgspec

from ledger.languages import Language
from ledger.money import Money


class Letter(msgspec.Struct, frozen=True):
    """What is sent to somebody; `secret` is the part that nobody else may read. Not to be logged."""

    title: str
    body: str
    secret: str

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
