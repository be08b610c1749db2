"""`ledger keys`: who may speak for a book."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from api.cli.terminal import AsJson, answer, give_up, owner, saying_why, settings
from api.keys import SCOPES, StoredKey, create_key, list_keys, load_or_create_pepper, revoke_key
from api.settings import Settings
from ledger.errors import BookNotFound
from ledger.store.migrate import list_books

app = typer.Typer(no_args_is_help=True, help="Who may speak for a book.")


def pepper_of(of: Settings) -> bytes:
    """The secret that keys are hashed with."""
    return load_or_create_pepper(of.state, of.pepper.get_secret_value() if of.pepper else None)


@app.command()
def create(
    book: Annotated[str, typer.Option(help="The book that the key speaks for.")],
    scopes: Annotated[str, typer.Option(help=f"One or more of {', '.join(sorted(SCOPES))}, separated by commas.")],
    name: Annotated[str, typer.Option(help="Whose key it is.")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="After how many days it expires; without, never.")] = None,
    person: Annotated[str, typer.Option(help="Whose hands it is in: all keys of a person are one person.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once."""
    of = settings()
    wanted = [scope for scope in scopes.replace(",", " ").split() if scope]
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with saying_why(), owner(of) as connection:
        if book not in list_books(connection):
            raise BookNotFound(book=book)
        key = create_key(
            connection, pepper_of(of), book=book, name=name, scopes=wanted, expires_at=expires_at, person=person
        )
    told = {"id": key.id, "key": key.text, "book": book, "scopes": wanted, "person": person.lower()}
    answer(told, key.text, as_json=as_json)


@app.command("list")
def list_(
    book: Annotated[str | None, typer.Option(help="Only the keys of this book.")] = None, as_json: AsJson = False
) -> None:
    """List keys; the keys themselves are known to nobody any more."""
    with saying_why(), owner(settings()) as connection:
        keys = list_keys(connection, book)
    lines = [_line(key) for key in keys]
    answer({"keys": keys}, "\n".join(lines) or "There are no keys.", as_json=as_json)


def _line(key: StoredKey) -> str:
    of = f"  of {key.person}" if key.person else ""
    revoked = "  revoked" if key.revoked_at else ""
    return f"{key.id}  {key.book}  {' '.join(key.scopes)}  {key.name}{of}{revoked}"


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id of the key.")], as_json: AsJson = False) -> None:
    """Refuse a key from now on; running services notice within 5 seconds."""
    with saying_why(), owner(settings()) as connection:
        if not revoke_key(connection, key_id):
            give_up(f"there is no key {key_id} that could be revoked")
    answer({"id": key_id, "revoked": True}, f"The key {key_id} is revoked.", as_json=as_json)
