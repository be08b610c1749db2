"""A proxy before PostgreSQL that cuts connections at the worst moment: around a COMMIT, or all of them at once.

client ──COMMIT──▶ proxy ──COMMIT──▶ server          BEFORE   the server never hears it: nothing happened
client ◀──"done"── proxy ◀──"done"── server          DURING   cut as soon as it was passed on: nobody can know
                                                     AFTER    the server has done it and its answer is dropped
"""

import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum, auto
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK = 65_536
_DONE = b"COMMIT\0"  # the tag of PostgreSQL's CommandComplete


class Cut(Enum):
    """Where a connection is cut."""

    BEFORE = auto()
    DURING = auto()
    AFTER = auto()


class SeveringProxy:
    """Listens on a port of its own; `plan` is asked at every COMMIT that passes."""

    def __init__(self, conninfo: str, plan: Callable[[], Cut | None] = lambda: None) -> None:
        self.plan = plan
        self.cuts = dict.fromkeys(Cut, 0)
        self._server = conninfo_to_dict(conninfo)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.conninfo = make_conninfo(
            conninfo,
            host="127.0.0.1",
            port=self._listener.getsockname()[1],
            sslmode="disable",
            gssencmode="disable",
        )
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._refusing = False
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.cut_all()

    def refuse(self) -> None:
        """Cut everything, and every new connection at once."""
        self._refusing = True
        self.cut_all()

    def admit(self) -> None:
        """Let connections through again."""
        self._refusing = False

    def cut_all(self) -> None:
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.cut()

    def counted(self, cut: Cut) -> None:
        with self._lock:
            self.cuts[cut] += 1

    def forget(self, pair: "_Pair") -> None:
        with self._lock:
            self._pairs.discard(pair)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                _reset(client)
                continue
            try:
                server = self._connect()
            except OSError:
                _reset(client)
                continue
            pair = _Pair(self, client, server)
            with self._lock:
                self._pairs.add(pair)
            pair.start()

    def _connect(self) -> socket.socket:
        host, port = str(self._server.get("host") or "localhost"), self._server.get("port") or 5432
        if host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{host}/.s.PGSQL.{port}")
            return server
        return socket.create_connection((host, int(port)))


class _Pair:
    """One connection through the proxy."""

    def __init__(self, proxy: SeveringProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._swallow = False

    def start(self) -> None:
        for pump in (self._to_server, self._to_client):
            threading.Thread(target=self._run, args=(pump,), daemon=True).start()

    def cut(self) -> None:
        _reset(self._client)
        _reset(self._server)
        self._proxy.forget(self)

    def _run(self, pump: Callable[[], None]) -> None:
        try:
            pump()
        except OSError:
            pass  # cut by us, or by one of the two
        finally:
            self.cut()

    def _to_server(self) -> None:
        while chunk := self._client.recv(_CHUNK):
            cut = self._proxy.plan() if b"COMMIT" in chunk else None
            if cut is Cut.BEFORE:
                self._proxy.counted(cut)
                return
            self._swallow = cut is Cut.AFTER
            self._server.sendall(chunk)
            if cut is Cut.DURING:
                self._proxy.counted(cut)
                return

    def _to_client(self) -> None:
        while chunk := self._server.recv(_CHUNK):
            if self._swallow and _DONE in chunk:
                self._proxy.counted(Cut.AFTER)
                return
            self._client.sendall(chunk)


def _reset(end: socket.socket) -> None:
    """Close with RST and not with FIN, as a cable that is pulled does in the end."""
    try:
        if end.family == socket.AF_INET:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is closed already
    end.close()
