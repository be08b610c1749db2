"""The simulator's command line: `python -m commands.channels.simulator --port 0 --folder DIRECTORY`.

Prints one line, `listening on http://HOST:PORT`, once it takes connections; port 0 lets the system choose. Ends on
SIGTERM or SIGINT within about a second.
"""

import argparse
import socket
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from commands.channels.keys import their_ring
from commands.channels.signatures import secret_from_file
from commands.channels.simulator.app import Simulator
from commands.channels.simulator.books import Books
from commands.channels.simulator.counterparts.alipay_platform import AlipayPlatform
from commands.channels.simulator.counterparts.bank import Bank
from commands.channels.simulator.counterparts.card import Card
from commands.channels.simulator.counterparts.coin_house import CoinHouse
from commands.channels.simulator.counterparts.counterpart import Counterpart
from commands.channels.simulator.counterparts.phone_company import PhoneCompany
from commands.channels.simulator.counterparts.wechat_platform import WeChatPlatform
from commands.channels.simulator.desk import Desk
from commands.channels.simulator.keeper import Keeper
from commands.policies.channels import CHANNELS, ChannelTerms

# A request that is being kept waiting on purpose must not keep the process from ending.
_GRACE_S = 1
_CHANNEL = "{channel}"


def _card(terms: ChannelTerms, folder: Path, pages: str) -> Counterpart:
    return Card(secret_from_file(folder / f"{terms.name}.secret"), pages)


def _bank(terms: ChannelTerms, folder: Path, pages: str) -> Counterpart:
    return Bank(their_ring(folder, terms.name), pages)


def _phone_company(terms: ChannelTerms, folder: Path, _pages: str) -> Counterpart:
    return PhoneCompany(secret_from_file(folder / f"{terms.name}.secret"))


def _alipay_platform(terms: ChannelTerms, folder: Path, pages: str) -> Counterpart:
    return AlipayPlatform(their_ring(folder, terms.name), terms.account, pages)


def _wechat_platform(terms: ChannelTerms, folder: Path, pages: str) -> Counterpart:
    secret = secret_from_file(folder / f"{terms.name}.secret")
    return WeChatPlatform(their_ring(folder, terms.name), secret, terms.account, pages)


def _coin_house(terms: ChannelTerms, folder: Path, _pages: str) -> Counterpart:
    return CoinHouse(secret_from_file(folder / f"{terms.name}.secret"))


# Who plays the other end of an adapter: from the terms, the folder with key material, and the address of payers' pages.
COUNTERPARTS: dict[str, Callable[[ChannelTerms, Path, str], Counterpart]] = {
    "card_simulator": _card,
    "bank_redirect": _bank,
    "carrier": _phone_company,
    "alipay": _alipay_platform,
    "wechat_pay": _wechat_platform,
    "coin_gateway": _coin_house,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    folder: Path = options.folder
    with ExitStack() as closing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            played = _played(options.channels)
            listener = socket.create_server((options.host, options.port), backlog=512)
            closing.callback(listener.close)
            host, port = listener.getsockname()[:2]
            address = f"http://{host}:{port}"
            desks = [_desk(terms, folder, address, options.callback_url, closing) for terms in played]
        except (ValueError, OSError, sqlite3.Error) as trouble:
            sys.stderr.write(f"simulator: {trouble}\n")
            return 1
        run(Simulator(desks), listener, address)
    return 0


def run(simulator: Simulator, listener: socket.socket, address: str) -> None:
    """Serves on a socket that is bound already, so that the printed address is true before the first request."""
    config = uvicorn.Config(
        simulator.app(),
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=_GRACE_S,
    )
    sys.stdout.write(f"listening on {address}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])


def _desk(terms: ChannelTerms, folder: Path, address: str, callback_url: str | None, closing: ExitStack) -> Desk:
    counterpart = COUNTERPARTS[terms.adapter](terms, folder, address)
    keeper = Keeper(Books(folder / f"{terms.name}.sqlite", terms, counterpart.asks))
    closing.callback(keeper.close)
    return Desk(terms.name, keeper, counterpart, callback_url and callback_url.replace(_CHANNEL, terms.name))


def _played(names: str | None) -> list[ChannelTerms]:
    """The channels of these names, or all that are simulated; raises ValueError for one that there is not."""
    known = {terms.name: terms for terms in CHANNELS if terms.simulated and terms.adapter in COUNTERPARTS}
    wanted = list(known) if names is None else names.split(",")
    if strange := [name for name in wanted if name not in known]:
        raise ValueError(f"there is no channel {', '.join(strange)}; there are {', '.join(known)}")
    return [known[name] for name in wanted]


def _address(text: str) -> str:
    address = urlsplit(text)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise argparse.ArgumentTypeError("an address is http(s)://host[:port]/path")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("simulator", description="Payment channels that are none.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument(
        "--folder", type=Path, required=True, help="holds <channel>.sqlite, the books, and key material"
    )
    parser.add_argument("--channels", help="names with commas between them; all that are simulated without it")
    parser.add_argument(
        "--callback-url",
        type=_address,
        help="where signed messages go, {channel} is its name; without it they are kept",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
