"""Messengers: bring a letter to an e-mail address or a telephone, over whatever service an apprise URL names.

`mailto://user:password@smtp.example.com?from=pay@example.com&to={recipient}` sends by SMTP; the providers of text
messages have URLs of their own, and `json://` and `jsons://` post to any other. The recipient is put in where
`{recipient}` stands. apprise knows a hundred services and takes a while to load, so it is loaded when it is needed.
"""

import asyncio
import logging
import re
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import quote

from commands.letters import Letter

if TYPE_CHECKING:
    from apprise import Apprise, NotifyBase

logger = logging.getLogger(__name__)

Kind = Literal["email", "phone"]
RECIPIENT = "{recipient}"
_Told = TypeVar("_Told")

# Without `'` and `%`: apprise would read another address.
_EMAIL = re.compile(r"[A-Za-z0-9.!#$&*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_LONGEST_EMAIL = 254
_PHONE = re.compile(r"\+?[0-9]{5,15}")
_BETWEEN_DIGITS = re.compile(r"[ ()./-]")
_PATIENCE_S = 10.0
_ANYBODY: dict[Kind, str] = {"email": "nobody@example.org", "phone": "+15005550006"}

# What may not stand in a line of the log that is written while this letter is on its way.
_secrets: ContextVar[tuple[str, ...]] = ContextVar("secrets of a letter", default=())


def address_of(recipient: str) -> tuple[Kind, str] | None:
    """How somebody is reached, as it is sent; None for what is neither one e-mail address nor one telephone number."""
    if "@" in recipient:
        fits = len(recipient) <= _LONGEST_EMAIL and _EMAIL.fullmatch(recipient)
        return ("email", recipient) if fits else None
    # In `+49 (0)30` the zero is for callers from nearby.
    digits = _BETWEEN_DIGITS.sub("", recipient.replace("(0)", "") if recipient.startswith("+") else recipient)
    return ("phone", digits) if _PHONE.fullmatch(digits) else None


class Messenger:
    """Sends letters of one kind, so many at once at most. Its calls wait for the service in threads of its own."""

    def __init__(self, kind: Kind, url: str, at_once: int = 1) -> None:
        self.kind, self._url = kind, url
        self._threads = ThreadPoolExecutor(at_once, f"letters by {kind}")

    def close(self) -> None:
        """Nothing is sent any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_a_thread(self, call: Callable[[], _Told]) -> _Told:
        # Not the threads of the loop: a service that hangs would keep them from everybody else.
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, call)

    async def is_usable(self) -> bool:
        """Whether apprise understands the URL."""
        if RECIPIENT not in self._url:
            return False
        return await self._in_a_thread(lambda: self._plugin_for(_ANYBODY[self.kind])) is not None

    async def send(self, address: str, letter: Letter) -> bool:
        """Whether the service took it; why not stands in the log, without the address and the letter."""
        told = (self._url, letter.body, letter.secret, address, quote(address, safe=""))
        token = _secrets.set(tuple(filter(None, told)))
        try:
            return await self._in_a_thread(lambda: self._send(address, letter))
        except Exception as trouble:  # Somebody else's code for a hundred services; a letter that fails is sent again.
            logger.warning("a letter by %s was not sent: %s", self.kind, type(trouble).__name__)
            return False
        finally:
            _secrets.reset(token)

    def _send(self, address: str, letter: Letter) -> bool:
        plugin = self._plugin_for(address)
        if plugin is None:
            return False
        from apprise import NotifyFormat, NotifyType

        # A title is a line of its own in a text message, and costs.
        title = letter.title if self.kind == "email" else ""
        return plugin.notify(body=letter.body, title=title, notify_type=NotifyType.INFO, body_format=NotifyFormat.TEXT)

    def _plugin_for(self, address: str) -> "NotifyBase | None":
        with _LOADING:
            library = _loaded()
        plugin = library.instantiate(self._url.replace(RECIPIENT, quote(address, safe="")))
        if plugin is not None and self.kind == "email" and not _is_for(plugin, address):
            logger.error("apprise does not write to the address that it is given, or to more than one")
            return None
        if plugin is not None:
            plugin.socket_connect_timeout = min(plugin.socket_connect_timeout, _PATIENCE_S)
            plugin.socket_read_timeout = min(plugin.socket_read_timeout, _PATIENCE_S)
        return plugin


def _is_for(plugin: "NotifyBase", address: str) -> bool:
    """Whether it writes to this address and to nobody else: an address that it cannot read would be its sender's."""
    targets = getattr(plugin, "targets", None)
    return targets is None or [one[-1] if isinstance(one, tuple) else one for one in targets] == [address]


_LOADING = Lock()


@cache
def _loaded() -> "type[Apprise]":
    """apprise with all of its services, and bound to silence."""
    with warnings.catch_warnings():
        # One of its imports will be gone in Python 3.13; it has another for that.
        warnings.simplefilter("ignore", DeprecationWarning)
        from apprise import Apprise

        Apprise.instantiate("json://localhost")
    # What these libraries say at DEBUG are whole letters and the addresses that they went to.
    theirs = logging.getLogger("apprise")
    theirs.setLevel(logging.WARNING)
    theirs.addFilter(_Discretion())
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    return Apprise


class _Discretion(logging.Filter):
    """Lets nothing of a letter, of its address or of the service's URL into the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        for secret in _secrets.get():
            told = told.replace(secret, "…")
        record.msg, record.args, record.exc_info = told, (), None
        return True
