"""The summary of a reconciliation in words: a table of the file, one of the run, and a last sentence."""

import io
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from api.cli.narrator import money
from api.cli.reconciled import Summary
from ledger.reconciliation_state import FAILED
from ledger.report_file_state import FLAGGED, ControlView

_WIDTH = 110
_PASSES = {
    "exact_id": "by the channel's id",
    "reference": "by our reference",
    "window": "by amount and day",
    "batch": "by batch or sum",
    "group": "several with several",
    "standing": "fees and reserves of a batch",
    "acknowledged": "acknowledged",
}


def in_words(summary: Summary) -> str:
    """What a person reads on a terminal or in a file."""
    out = io.StringIO()
    console = Console(file=out, width=_WIDTH, highlight=False)
    console.print(f"{summary.file}: {summary.source} of {summary.account}", markup=False)
    console.print(_table(_of_file(summary)))
    if summary.run is not None:
        console.print(f"{summary.run.id}, to the end of {summary.run.date}", markup=False)
        console.print(_table(_of_run(summary)))
    console.print(_verdict(summary), markup=False)
    return out.getvalue().rstrip("\n")


def _table(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column("what")
    table.add_column("figure", justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _of_file(summary: Summary) -> list[tuple[str, str]]:
    broken = [control for control in summary.controls if not control.holds]
    rows = [
        ("rows", f"{summary.rows:,}"),
        ("rejected lines", f"{summary.rejected:,}"),
        ("duplicates", "not known yet" if summary.duplicates is None else f"{summary.duplicates:,}"),
        ("controls that do not hold", f"{len(broken):,} of {len(summary.controls):,}"),
    ]
    return rows + [(f"  {control.name}, line {control.line}", _apart(control)) for control in broken]


def _apart(control: ControlView) -> str:
    if not control.currency:
        return f"{control.stated:,} stated, {control.counted:,} counted"
    stated, counted = (money(amount, control.currency) for amount in (control.stated, control.counted))
    return f"{stated} stated, {counted} counted"


def _of_run(summary: Summary) -> list[tuple[str, str]]:
    run = summary.run
    if run is None:
        return []
    rows = [("matched and settled", f"{run.settled:,}")]
    rows += [(f"  {_PASSES.get(name, name)}", f"{count:,}") for name, count in sorted(run.found_by.items())]
    rows.append(("waiting", f"{run.waiting:,}"))
    if run.refused:
        rows.append(("could not be settled", f"{run.refused:,}"))
    rows.append(("breaks", f"{run.breaks:,}"))
    rows += [(f"  {name}", f"{count:,}") for name, count in sorted(run.breaks_by_type.items())]
    at_risk = [money(amount, currency) for currency, amount in sorted(run.at_risk.items()) if amount]
    return [*rows, ("value at risk", ", ".join(at_risk) or "none")]


def _verdict(summary: Summary) -> str:
    before = "The file was there already. " if summary.known_before else ""
    run = summary.run
    if summary.status == FLAGGED:
        return f"{before}A total of the file is not that of its rows: it is flagged, and nothing of it is matched."
    if run is None:
        return f"{before}The file is in as {summary.file_id}; nothing was compared."
    if run.status == FAILED:
        return f"{before}The run failed: {run.reason}"
    if summary.agrees:
        waiting = f"; {run.waiting:,} wait for another file" if run.waiting else ""
        return f"{before}Everything agrees{waiting}."
    counted = ((run.breaks, "break"), (summary.rejected, "rejected line"), (run.refused, "match that was not taken"))
    words = ", ".join(f"{count:,} × {name}" for count, name in counted if count)
    return f"{before}To be looked at: {words}. GET /v1/reconciliation/breaks lists the breaks."
