"""Settlement tolerances: how much a channel's report may differ from what we have before a person is asked. Data."""

import msgspec


class SettlementTolerance(msgspec.Struct, frozen=True):
    """For one channel; sums in minor units of the currency that is reported.

    A difference of up to `amount` in one line is ours without asking, but no more than `amount_per_day` together. A fee
    within `fee` or `fee_bps` ten-thousandths of the gross of what was agreed is what it is; beyond that the difference
    is claimed. What is kept for something that no fee was agreed for, a refund, is paid up to `other_fee`.
    """

    amount: int = 2
    amount_per_day: int = 500
    fee: int = 2
    fee_bps: int = 5
    other_fee: int = 500

    def takes_fee(self, gross: int, expected: int, reported: int) -> bool:
        """Whether what was kept is near enough to what was expected for this gross."""
        if expected == 0 and gross <= 0:
            return 0 <= reported <= self.other_fee
        return abs(reported - expected) <= max(self.fee, abs(gross) * self.fee_bps // 10_000)


DEFAULT = SettlementTolerance()
TOLERANCES: dict[str, SettlementTolerance] = {}
"""The channels for which it is another one."""


def tolerance_of(channel: str) -> SettlementTolerance:
    return TOLERANCES.get(channel, DEFAULT)
