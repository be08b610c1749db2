"""Webhook headers: what an endpoint wants to find on every message to it, such as the key of its own gate.

Their values are secrets: sealed before they reach a command, opened where a message is sent, and shown nowhere.
"""

import re
from collections.abc import Iterable, Mapping

from commands.seals import Seal
from ledger.errors import FieldError, FieldInvalid

MOST_HEADERS = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
# Visible characters of ASCII, with spaces between them: nothing that could end the line.
_VALUE = re.compile(r"[!-~](?:[ -~]{0,998}[!-~])?")
# What says whose message it is, where it goes, how long it is and how it is brought, is ours to say.
_OURS = frozenset(
    (
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
    )
)
_OUR_PREFIXES = ("webhook-", "proxy-", "sec-", "x-forwarded-")
_PURPOSE = b"webhook headers v1"


class HeaderSeal(Seal):
    """Closes and opens the headers of one installation."""

    def __init__(self, pepper: bytes) -> None:
        super().__init__(pepper, _PURPOSE)

    def closed(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers by their names in small letters, each value in a seal; raises FieldInvalid with all of them."""
        wrong = tuple(_objections(headers))
        if wrong:
            raise FieldInvalid(wrong[0].detail, errors=wrong)
        return {name.lower(): self.close(value) for name, value in headers.items()}

    def opened(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers as they are sent. Raises ValueError."""
        return {name: self.open(value) for name, value in headers.items()}


def _objections(headers: Mapping[str, str]) -> Iterable[FieldError]:
    if len(headers) > MOST_HEADERS:
        yield _wrong("/headers", f"An endpoint has at most {MOST_HEADERS} headers of its own.")
    seen: set[str] = set()
    for name, value in headers.items():
        pointer, small = f"/headers/{name.replace('~', '~0').replace('/', '~1')}", name.lower()
        if not _NAME.fullmatch(name):
            yield _wrong(pointer, "A header's name is 1 to 64 letters, digits and hyphens.")
        elif small in _OURS or small.startswith(_OUR_PREFIXES):
            yield _wrong(pointer, f"The header {small} is set by us.")
        elif small in seen:
            yield _wrong(pointer, f"The header {small} is given twice.")
        elif not _VALUE.fullmatch(value):
            yield _wrong(pointer, "A header's value is 1 to 1,000 printable ASCII characters, not a space at its ends.")
        seen.add(small)


def _wrong(pointer: str, what: str) -> FieldError:
    return FieldError(pointer, FieldInvalid.code(), what)
