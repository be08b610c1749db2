"""Loading: what a process takes into memory before anybody asks it for anything."""

import subprocess
import sys

import pytest

from tests.forked import ROOT

SDKS = ("stripe", "apprise", "requests")


@pytest.mark.parametrize(
    ("module", "not_needed"),
    [
        ("api.serving", SDKS),
        ("api.cli.working", (*SDKS, "fastapi", "api.app")),
        ("commands.channels.simulator.__main__", (*SDKS, "fastapi", "api.app")),
    ],
)
def test_a_process_loads_nothing_that_it_does_not_need(module: str, not_needed: tuple[str, ...]) -> None:
    script = f"import sys, {module}; print(*sorted(set(sys.modules) & {set(not_needed)!r}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
