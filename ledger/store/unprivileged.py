"""Unprivileged: how root runs PostgreSQL, which refuses root, without adding a user or changing a permission."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec


class Account(msgspec.Struct, frozen=True):
    """Who a server runs as: a command put before each of its commands, or a user and group to become."""

    owner: int
    """The user id that owns the server's files, seen from here."""
    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with its output caught; a program that cannot be started counts as code 127."""
        words = [*self.prefix, *map(str, command)]
        # The caller's PGOPTIONS, PGDATA and the like are meant for other servers; anybody can be in `/`.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
        groups: list[str | int] | None = None if self.user is None else []
        try:
            return subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                cwd="/",
                env=environment,
                user=self.user,
                group=self.group,
                extra_groups=groups,
                check=False,
            )
        except OSError as unable:
            return subprocess.CompletedProcess(words, 127, "", str(unable))

    def may(self, test: str, path: Path) -> bool:
        """Whether this account passes `test -r|-w|-x` on a path, all folders above it included."""
        return self.run("test", test, path).returncode == 0

    def own(self, path: Path) -> None:
        """Hand a path of ours, and what is in it, to this account; nothing to do unless it is another user's."""
        if self.user is None or path.stat().st_uid == self.owner:
            return
        for inner in [path, *path.rglob("*")]:
            os.chown(inner, self.owner, -1, follow_symlinks=False)


def accounts() -> Iterator[Account]:
    """The accounts that a server can run as on this machine, best first.

    Ourselves, unless we are root or have no name (PostgreSQL wants one). Else a user namespace in which we look like
    `nobody`: files stay ours. Where namespaces are forbidden, as in many containers, root can become `nobody`.
    """
    me = os.geteuid()
    if me != 0 and _has_name(me):
        yield Account(owner=me)
    nobody = _nobody()
    if nobody is None:
        return
    mapped = ("unshare", "-U", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", "--")
    candidates = [Account(owner=me, prefix=mapped)]
    if me == 0:
        candidates.append(Account(owner=nobody.pw_uid, user=nobody.pw_uid, group=nobody.pw_gid))
    yield from (account for account in candidates if account.run("true").returncode == 0)


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _nobody() -> pwd.struct_passwd | None:
    ordinary = [user for user in pwd.getpwall() if user.pw_uid != 0]
    return next((user for user in ordinary if user.pw_name == "nobody"), ordinary[-1] if ordinary else None)
