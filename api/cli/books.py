"""`ledger books`: which books there are."""

from typing import Annotated

import typer

from api.cli.terminal import AsJson, answer, give_up, owner, saying_why, settings, url_of
from ledger.store.connection import Database
from ledger.store.migrate import application_role, create_book, list_books

app = typer.Typer(no_args_is_help=True, help="Which books there are; a book is the ledger of one tenant.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="1 to 31 of a-z 0-9 _, beginning with a letter.")],
    as_json: AsJson = False,
) -> None:
    """Make a book."""
    with saying_why(), owner(settings()) as connection:
        create_book(connection, name)
    answer({"book": name}, f"The book {name} is open.", as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all books."""
    with saying_why(), owner(settings()) as connection:
        books = list_books(connection)
    answer({"books": books}, "\n".join(books) or "There are no books.", as_json=as_json)


def database_of(book: str | None) -> tuple[Database, list[str]]:
    """The database as the application sees it, and the book of this name, or all books; ends with 2 without it."""
    of = settings()
    with saying_why():
        url = url_of(of)
        with owner(of) as connection:
            role, books = application_role(connection), list_books(connection)
    if book is not None and book not in books:
        give_up(f"there is no book {book}", 2)
    return Database(url, role=role), books if book is None else [book]
