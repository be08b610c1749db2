"""Channels: what is agreed with each of them, as data: how it is spoken to, what it carries, can do and keeps.

This is the one place. Routing chooses by it, the registry and the simulator are set up by it, fees are taken from it.
A new channel is one line here, one in the registry, and its adapter.
"""

import msgspec

# How payouts are paid: to a bank account, or to what a vault or a wallet provider knows by a token.
PAYOUT_METHODS = ("bank_account", "token")


class ChannelTerms(msgspec.Struct, frozen=True):
    """One channel. `fee_bps` is its share in ten-thousandths of the amount; sums are minor units.

    `currencies` is empty where it takes all of them. `minimum` and `maximum` bound one charge. `over_capture_bps`: by
    how much captures may go beyond what was authorized. `dispute_fee` and `payout_fee` are kept for each of them.
    `prefunded`: payouts are paid out of a float of ours that the channel was given before. `payout_maximum` bounds one.
    """

    name: str
    methods: tuple[str, ...]
    fee_bps: int
    adapter: str = "card_simulator"
    account: str = ""
    """By what the channel knows us, where it asks: a merchant's or an application's number."""
    currencies: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int | None = None
    manual_capture: bool = False
    partial_authorization: bool = False
    over_capture_bps: int = 0
    voids: bool = False
    increments: bool = False
    extensions: bool = False
    refunds: bool = True
    contracts: bool = False
    payouts: bool = False
    prefunded: bool = False
    payout_maximum: int | None = None
    returns_fee: bool = False
    """Of what it kept for a charge it gives back as much as is refunded of it."""
    invoices_fee: bool = False
    """It settles the whole of what it took, and invoices its share."""
    dispute_fee: int = 0
    payout_fee: int = 0
    settles_after_days: int = 1
    simulated: bool = True
    base_url: str = ""
    """Where a real one lives; spoken to once its key stands in `<name>.api_key` in the folder of the channels."""
    by_rules_only: bool = False
    """It is tried only where routing rules name it, and never because it is listed here."""

    def takes(self, amount: int, currency: str) -> bool:
        """Whether one charge may be over this sum."""
        within = self.minimum <= amount and (self.maximum is None or amount <= self.maximum)
        return within and (not self.currencies or currency in self.currencies)


CHANNELS: tuple[ChannelTerms, ...] = (
    ChannelTerms(
        "card_simulator",
        methods=("card",),
        fee_bps=60,
        manual_capture=True,
        partial_authorization=True,
        voids=True,
        increments=True,
        extensions=True,
        contracts=True,
        payouts=True,
        dispute_fee=1_500,
        payout_fee=25,
    ),
    ChannelTerms(
        "card_simulator_b",
        methods=("card",),
        fee_bps=90,
        manual_capture=True,
        over_capture_bps=1_500,
        voids=True,
        increments=True,
        extensions=True,
        contracts=True,
        payouts=True,
        prefunded=True,
        dispute_fee=2_000,
        payout_fee=20,
    ),
    ChannelTerms(
        "bank_redirect",
        methods=("bank_redirect",),
        fee_bps=30,
        adapter="bank_redirect",
        voids=True,
        settles_after_days=2,
    ),
    # What goes on a phone's bill is paid with the bill, and the telephone company keeps a quarter of it.
    ChannelTerms(
        "carrier",
        methods=("carrier_billing",),
        fee_bps=2_500,
        adapter="carrier",
        maximum=30_000,
        voids=True,
        settles_after_days=60,
    ),
    ChannelTerms(
        "alipay",
        methods=("alipay",),
        fee_bps=60,
        adapter="alipay",
        returns_fee=True,
        account="2021000000000001",
        currencies=("CNY",),
        voids=True,
    ),
    ChannelTerms(
        "wechat_pay",
        methods=("wechat_pay",),
        fee_bps=60,
        adapter="wechat_pay",
        account="1900000001",
        currencies=("CNY",),
        voids=True,
    ),
    # Pays out within seconds, and wants more for it.
    ChannelTerms(
        "instant_payouts",
        methods=(),
        fee_bps=0,
        currencies=("EUR",),
        payouts=True,
        payout_maximum=10_000_000,
        payout_fee=60,
        by_rules_only=True,
    ),
    # Nobody can close an address, and nothing is sent back from it: coins stay in custody until they are sold.
    ChannelTerms(
        "coin_gateway",
        methods=("coin",),
        fee_bps=0,
        adapter="coin_gateway",
        refunds=False,
    ),
)


def terms_of(channel: str) -> ChannelTerms | None:
    """What is agreed with the channel of this name, if anything is."""
    return next((terms for terms in CHANNELS if terms.name == channel), None)
