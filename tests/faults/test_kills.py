"""Killed with -9 at random moments, under load of every kind, two servers on one book: nothing is lost or doubled."""

from tests.faults.kill_campaign import run


def test_kills_lose_nothing_and_double_nothing() -> None:
    """The long campaigns: `kill-two-servers` is this with more kills, `kill` harms what ./run starts."""
    report = run(seed=10, kills=4)
    assert report.kills >= 4
    assert report.accepted > 60
