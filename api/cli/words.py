"""The words of the command line."""

import sys
from typing import Annotated

import typer

from api.cli import (
    books,
    demo,
    exporting,
    exporting_journal,
    importing,
    keys,
    log_keys,
    reconciling,
    replaying,
    up,
    upkeep,
    verifying,
    witnessing,
)
from api.cli.supervisor import end_with_supervisor
from api.cli.terminal import AsJson, answer, owner, saying_why, settings, url_of
from api.telemetry import configure_logging
from ledger.store.migrate import migrate_books, migrate_control

app = typer.Typer(
    name="ledger",
    help="A double-entry payment ledger: commands become immutable events, events become balances.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(books.app, name="books")
app.add_typer(keys.app, name="keys")
app.add_typer(log_keys.app, name="log-keys")
app.command()(up.up)
app.command()(demo.demo)
app.command("import")(importing.import_transfers)
app.command()(reconciling.reconcile)
app.command()(upkeep.rebuild)
app.command()(replaying.replay)
app.command()(verifying.verify)
app.command()(exporting.export)
app.command()(exporting_journal.export_journal)
app.command()(witnessing.witness)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Instead of LEDGER_PORT; 0: one that is free.")] = None,
) -> None:
    """Answer HTTP requests until Ctrl-C."""
    from api.serving import serve as serve_until_stopped

    of = settings()
    configure_logging(of.log_level)
    end_with_supervisor()
    with saying_why():
        serve_until_stopped(of if port is None else of.model_copy(update={"port": port}), url_of(of))


@app.command()
def worker() -> None:
    """Keep the views, call the channels and let timers run out, until Ctrl-C."""
    from api.cli.working import work

    of = settings()
    configure_logging(of.log_level)
    end_with_supervisor()
    with saying_why():
        work(of, url_of(of))


@app.command()
def simulator(
    port: Annotated[int | None, typer.Option(help="Instead of the one in LEDGER_SIMULATOR_URL; 0: a free one.")] = None,
) -> None:
    """Be a payment channel that is not one, until Ctrl-C."""
    from api.cli.working import run_simulator

    of = settings()
    configure_logging(of.log_level)
    end_with_supervisor()
    raise typer.Exit(run_simulator(of, port))


@app.command()
def openapi() -> None:
    """Write the description of the interface to standard output, as `docs/openapi.json` has it."""
    from api.app import make_api
    from api.description import description

    sys.stdout.write(description(make_api()))


@app.command()
def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the control schema and every book up to date."""
    with saying_why(), owner(settings()) as connection:
        control = migrate_control(connection, dry_run=dry_run)
        of_books = migrate_books(connection, dry_run=dry_run)
    done = {"control": control, "books": of_books, "dry_run": dry_run}
    lines = [f"control: {', '.join(control)}"] if control else []
    lines += [f"{book}: {', '.join(names)}" for book, names in of_books.items() if names]
    answer(done, "\n".join(lines) or "Everything is up to date.", as_json=as_json)


def main() -> None:
    """Run the word on the command line."""
    app()
