"""Registry: which channels there are, how each is spoken to, and where it lives."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from commands.channels.alipay import Alipay
from commands.channels.bank_redirect import BankRedirect
from commands.channels.card_simulator import CardSimulator
from commands.channels.carrier import Carrier
from commands.channels.channel import Channel
from commands.channels.coin_gateway import CoinGateway
from commands.channels.keys import Keyring, our_ring
from commands.channels.signatures import Secret, secret_from_file
from commands.channels.wechat_pay import WeChatPay
from commands.policies.channels import ChannelTerms
from ledger.errors import ChannelNotFound


class ChannelSettings(Struct, frozen=True):
    """One configured channel. `base_url` is http(s)://host[:port][/path] without a slash at its end.

    `keys`: what we sign with and know the channel by, where it asks for more than a shared secret. `account`: by what
    it knows us, `application` by what it knows our app. `api_key` and `webhook_secret` are texts that it gave us.
    `connect_ms` bounds the connection, `read_ms` each wait for more bytes, `total_ms` the whole conversation.
    """

    name: str
    base_url: str
    secret: Secret
    adapter: str = "card_simulator"
    keys: Keyring | None = None
    account: str = ""
    application: str = "wx0000000000000001"
    api_key: str = ""
    webhook_secret: str = ""
    connect_ms: int = 1_000
    read_ms: int = 2_000
    total_ms: int = 5_000

    def __repr__(self) -> str:
        return f"ChannelSettings({self.name!r}, {self.base_url!r}, …)"

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        plain = not (address.username or address.password or address.query or address.fragment)
        if address.scheme not in ("http", "https") or not address.hostname or not plain or self.base_url.endswith("/"):
            # The text is not repeated: a password may stand in it.
            raise ValueError(f"the base address of channel {self.name} is http(s)://host[:port][/path]")
        if min(self.connect_ms, self.read_ms, self.total_ms) <= 0:
            raise ValueError(f"the times of channel {self.name} are positive")


def _card_simulator(settings: ChannelSettings) -> Channel:
    return CardSimulator(settings.name, settings.secret)


def _bank_redirect(settings: ChannelSettings) -> Channel:
    return BankRedirect(settings.name, _ring(settings))


def _carrier(settings: ChannelSettings) -> Channel:
    return Carrier(settings.name, settings.secret)


def _alipay(settings: ChannelSettings) -> Channel:
    return Alipay(settings.name, _ring(settings), settings.account, _now)


def _wechat_pay(settings: ChannelSettings) -> Channel:
    ours = settings.account, settings.application
    return WeChatPay(settings.name, _ring(settings), settings.secret, *ours, _now)


def _coin_gateway(settings: ChannelSettings) -> Channel:
    return CoinGateway(settings.name, settings.secret)


def _stripe_payments(settings: ChannelSettings) -> Channel:
    if not (settings.api_key and settings.webhook_secret):
        raise ValueError(f"the channel {settings.name} needs the key and the secret that it was given")
    # Its SDK takes a tenth of the memory of a process: only who speaks to it loads it.
    from commands.channels.stripe_payments import StripePayments

    return StripePayments(settings.name, settings.api_key, settings.webhook_secret)


# A new kind of channel is one adapter file and one line here.
ADAPTERS: dict[str, Callable[[ChannelSettings], Channel]] = {
    "card_simulator": _card_simulator,
    "bank_redirect": _bank_redirect,
    "carrier": _carrier,
    "alipay": _alipay,
    "wechat_pay": _wechat_pay,
    "coin_gateway": _coin_gateway,
    "stripe_payments": _stripe_payments,
}

# Those that sign with key pairs.
KEYED = frozenset({"bank_redirect", "alipay", "wechat_pay"})


def _ring(settings: ChannelSettings) -> Keyring:
    if settings.keys is None:
        raise ValueError(f"the channel {settings.name} signs with key pairs")
    return settings.keys


def _now() -> datetime:
    return datetime.now(UTC)


def settings_of(terms: ChannelTerms, base_url: str, folder: Path) -> ChannelSettings:
    """A channel at this address with the key material in this folder, made by whoever comes first."""
    secret = secret_from_file(folder / f"{terms.name}.secret")
    keys = our_ring(folder, terms.name) if terms.adapter in KEYED else None
    return ChannelSettings(
        terms.name,
        base_url,
        secret,
        terms.adapter,
        keys,
        terms.account,
        api_key=_text_in(folder / f"{terms.name}.api_key"),
        webhook_secret=_text_in(folder / f"{terms.name}.webhook_secret"),
    )


def configured(channels: Iterable[ChannelTerms], simulator_url: str | None, folder: Path) -> "Registry":
    """Those that are played by the simulator, and those that are real and have given us a key, in this folder."""
    found: list[ChannelSettings] = []
    for terms in channels:
        if terms.simulated and simulator_url is not None:
            found.append(settings_of(terms, f"{simulator_url}/{terms.name}", folder))
        elif terms.base_url and _text_in(folder / f"{terms.name}.api_key"):
            found.append(settings_of(terms, terms.base_url, folder))
    return Registry(found)


def _text_in(file: Path) -> str:
    """What somebody wrote into this file; empty where there is none."""
    return file.read_text().strip() if file.exists() else ""


class Registry:
    """The configured channels by name."""

    def __init__(self, settings: Iterable[ChannelSettings]) -> None:
        """Raises ValueError for a name that stands twice or an adapter that does not exist."""
        self._settings: dict[str, ChannelSettings] = {}
        self._channels: dict[str, Channel] = {}
        for one in settings:
            if one.name in self._settings:
                raise ValueError(f"two channels are named {one.name}")
            if one.adapter not in ADAPTERS:
                raise ValueError(f"there is no adapter {one.adapter}; there are {', '.join(sorted(ADAPTERS))}")
            self._settings[one.name] = one
            self._channels[one.name] = ADAPTERS[one.adapter](one)

    def names(self) -> tuple[str, ...]:
        return tuple(self._settings)

    def channel(self, name: str) -> Channel:
        """The translator of this channel; raises ChannelNotFound."""
        if name not in self._channels:
            raise ChannelNotFound(channel=name)
        return self._channels[name]

    def settings(self, name: str) -> ChannelSettings:
        """Where it lives and how long we wait; raises ChannelNotFound."""
        if name not in self._settings:
            raise ChannelNotFound(channel=name)
        return self._settings[name]
