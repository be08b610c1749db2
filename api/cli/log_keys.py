"""`ledger log-keys`: with which keys checkpoints of the logs are signed, and how one follows another."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from api.cli.books import database_of
from api.cli.terminal import AsJson, answer, give_up, saying_why, settings
from commands.deciders import DECIDERS
from commands.envelope import Command, Part, own_envelope
from commands.handler import Handler
from commands.log_key_changes import BOTH_SIGN_FOR, AnnounceLogKey, RetireLogKey, announcement
from commands.log_keys import LogKeys, LogKeyUnusable
from commands.writer import Writers
from ledger.audit.signed_note import Note, Signer
from ledger.errors import Refusal
from ledger.store.append import Appender

app = typer.Typer(no_args_is_help=True, help="With which keys checkpoints of the logs are signed.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the public keys by book, the oldest first: what an auditor has to know."""
    of, (_, books) = settings(), database_of(None)
    with _usable():
        private = LogKeys(of.log_keys_folder).private()
    shown = {
        book: {name: str(Signer(f"{of.log_name}/{book}", key).key) for name, key in private.items()} for book in books
    }
    lines = [f"{name}  {key}" for keys in shown.values() for name, key in keys.items()]
    answer({"log_keys": shown}, "\n".join(lines) or "There are no books.", as_json=as_json)


@app.command()
def add(as_json: AsJson = False) -> None:
    """Announce a new key in the log of every book, then let it sign beside the others.

    Called again after a failure it goes on with the key that was begun.
    """
    of, (_, books) = settings(), database_of(None)
    keys = LogKeys(of.log_keys_folder)
    with _usable():
        old, (name, new) = keys.private(), keys.prepared()
    for book in books:
        _announce(book, f"{of.log_name}/{book}", new, old.values())
    keys.begin(name)
    answer({"added": name, "books": books}, f"Key {name} signs from now on, beside {', '.join(old)}.", as_json=as_json)


@app.command()
def retire(
    name: Annotated[str, typer.Argument(help="The name of the key, as `list` shows it.")],
    days: Annotated[
        int, typer.Option(min=0, help="How long another key has to have signed beside it.")
    ] = BOTH_SIGN_FOR.days,
    as_json: AsJson = False,
) -> None:
    """Let a key sign no more, and say so in the log of every book."""
    of, (_, books) = settings(), database_of(None)
    keys = LogKeys(of.log_keys_folder)
    with _usable():
        private = keys.private()
    if name not in private:
        give_up(f"there is no key {name}: {', '.join(private)}", 2)
    # A book that was made since then has not heard of the other keys yet.
    for book in books:
        for other in private.keys() - {name}:
            _announce(book, f"{of.log_name}/{book}", private[other], private.values())
    # All of them or none: first it is asked everywhere.
    for dry_run in (True, False):
        for book in books:
            key = str(Signer(f"{of.log_name}/{book}", private[name]).key)
            command = RetireLogKey(key, timedelta(days=days))
            _carry_out(book, f"log-key-retired/{key}", command, dry_run=dry_run)
    keys.retire(name)
    answer({"retired": name, "books": books}, f"Key {name} signs no more.", as_json=as_json)


def _announce(book: str, origin: str, new: Ed25519PrivateKey, others: Iterable[Ed25519PrivateKey]) -> None:
    key = Signer(origin, new).key
    note = Signer(origin, new).sign(Note(announcement(str(key))))
    for other in others:
        if other is not new:
            note = Signer(origin, other).sign(note)
    _carry_out(book, f"log-key-added/{key}", AnnounceLogKey(str(key), str(note)))


def _carry_out(book: str, key: str, command: Command, *, dry_run: bool = False) -> None:
    database, _ = database_of(book)
    writers = Writers(lambda name: Handler(Appender(database, name), DECIDERS))
    try:
        writers.execute(book, Part(replace(own_envelope(key, actor="operator"), dry_run=dry_run), command))
    except Refusal as refusal:
        give_up(f"{book}: {refusal.detail}")
    finally:
        writers.stop()


@contextmanager
def _usable() -> Iterator[None]:
    with saying_why():
        try:
            yield
        except LogKeyUnusable as unusable:
            give_up(str(unusable))
