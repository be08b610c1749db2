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
from commands.channels.keys import Keyring, our_ring
from commands.channels.signatures import Secret, secret_from_file
from commands.channels.wechat_pay import WeChatPay
from commands.policies.channels import ChannelTerms
from ledger.errors import ChannelNotFound


class ChannelSettings(Struct, frozen=True):
    """One configured channel. `base_url` is http(s)://host[:port][/path] without a slash at its end.

    `keys`: what we sign with and know the channel by, where it asks for more than a shared secret. `account`: by what
    it knows us, `application` by what it knows our app.
    `connect_ms` bounds the connection, `read_ms` each wait for more bytes, `total_ms` the whole conversation.
    """

    name: str
    base_url: str
    secret: Secret
    adapter: str = "card_simulator"
    keys: Keyring | None = None
    account: str = ""
    application: str = "wx0000000000000001"
    connect_ms: int = 1_000
    read_ms: int = 2_000
    total_ms: int = 5_000

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


# A new kind of channel is one adapter file and one line here.
ADAPTERS: dict[str, Callable[[ChannelSettings], Channel]] = {
    "card_simulator": _card_simulator,
    "bank_redirect": _bank_redirect,
    "carrier": _carrier,
    "alipay": _alipay,
    "wechat_pay": _wechat_pay,
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
    return ChannelSettings(terms.name, base_url, secret, terms.adapter, keys, terms.account)


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
