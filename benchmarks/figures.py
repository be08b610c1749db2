"""Figures: what is measured, in rounds, and how it is told: a table for people, JSON for programs."""

import statistics
from collections.abc import Iterable
from typing import Literal

import msgspec
from rich.table import Table

Unit = Literal["R", "/s", "s", "ms", "%", "MB"]


class Round(msgspec.Struct, frozen=True):
    """One measurement, with R as it was next to it (0 where it was not asked for) and what else was seen."""

    value: float
    reference: float = 0.0
    seen: dict[str, float] = {}


class Figure(msgspec.Struct):
    """A figure with its bar. In the unit R the bar is a multiple of the reference of the same round."""

    name: str
    what: str
    unit: Unit
    bar: float
    at_most: bool = False
    limits: dict[str, float] = {}
    """What else that was seen must not be more than this."""
    rounds: list[Round] = []

    @property
    def stated(self) -> list[float]:
        """Each round in the unit of the bar."""
        if self.unit == "R":
            return [one.value / one.reference for one in self.rounds]
        return [one.value for one in self.rounds]

    @property
    def median(self) -> float:
        """The figure itself."""
        return statistics.median(self.stated)

    @property
    def is_reached(self) -> bool:
        seen = self.seen()
        within = all(seen[name] <= limit for name, limit in self.limits.items())
        return within and (self.median <= self.bar if self.at_most else self.median >= self.bar)

    def seen(self) -> dict[str, float]:
        """The median of what else was seen."""
        names = self.rounds[0].seen if self.rounds else {}
        return {name: statistics.median(one.seen[name] for one in self.rounds) for name in names}


_PATTERNS: dict[Unit, str] = {
    "R": "{:.2f} R",
    "/s": "{:,.0f}/s",
    "s": "{:.1f} s",
    "ms": "{:.3g} ms",
    "%": "{:.0f} %",
    "MB": "{:.0f} MB",
}


def said(value: float, unit: Unit) -> str:
    return _PATTERNS[unit].format(value)


def table_of(figures: Iterable[Figure], title: str) -> Table:
    """The figures as people read them."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("rounds", justify="right")
    table.add_column("bar", justify="right")
    table.add_column("")
    table.add_column("also seen")
    for figure in figures:
        sign = "≤" if figure.at_most else "≥"
        spread = f"{min(figure.stated):,.2f} – {max(figure.stated):,.2f}" if len(figure.rounds) > 1 else ""
        also = figure.seen()
        if figure.unit == "R":
            also = {"per s": statistics.median(one.value for one in figure.rounds)} | also
        table.add_row(
            figure.what,
            said(figure.median, figure.unit),
            spread,
            f"{sign} {said(figure.bar, figure.unit)}",
            "[green]ok[/]" if figure.is_reached else "[red]short[/]",
            ", ".join(f"{name} {value:,.6g}" for name, value in also.items()),
        )
    return table


def as_json(figures: Iterable[Figure], about: dict[str, object]) -> str:
    """The figures and what they were measured on, on one line."""
    told = [
        {
            "name": figure.name,
            "what": figure.what,
            "unit": figure.unit,
            "value": round(figure.median, 4),
            "bar": figure.bar,
            "bar_is": "at most" if figure.at_most else "at least",
            "ok": figure.is_reached,
            "seen": figure.seen(),
            "limits": figure.limits,
            "rounds": figure.rounds,
        }
        for figure in figures
    ]
    return msgspec.json.encode({**about, "figures": told}).decode()
