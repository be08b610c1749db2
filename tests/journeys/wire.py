"""The bare wire: requests as bytes, for what no decent client would send."""

import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from tests.journeys.caller import Reply

_PATIENCE_S = 20.0


@dataclass
class Line:
    """One TCP connection to a server."""

    url: str

    def __post_init__(self) -> None:
        at = urlsplit(self.url)
        self.host = at.netloc
        self._socket = socket.create_connection((at.hostname, at.port), timeout=_PATIENCE_S)
        self._received = b""

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def hang_up(self) -> None:
        """Nothing more will be said; what is answered can still be heard."""
        self._socket.shutdown(socket.SHUT_WR)

    def hear(self) -> Reply | None:
        """The next answer, or None where the server has closed the line without one."""
        while b"\r\n\r\n" not in self._received:
            if not self._more():
                return None
        head, _, rest = self._received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(rest) < length:
            if not self._more():
                break
            rest = self._received.partition(b"\r\n\r\n")[2]
        self._received = rest[length:]
        raw = rest[:length]
        is_json = "json" in headers.get("content-type", "")
        return Reply(int(status_line.split()[1]), headers, raw, msgspec.json.decode(raw) if is_json else None)

    def is_closed(self) -> bool:
        """Whether the server closes the line, after a moment."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if not self._more():
                return True
        return False

    def _more(self) -> bool:
        try:
            chunk = self._socket.recv(65_536)
        except ConnectionResetError:
            return False
        self._received += chunk
        return bool(chunk)


def request(line: Line, method: str, target: str, key: str, *headers: str, body: bytes = b"") -> bytes:
    """A request with exactly these headers beside Host and Authorization."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {line.host}", f"Authorization: Bearer {key}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
