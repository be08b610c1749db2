"""Killed with -9 at random moments, under load of every kind, two servers on one book: nothing is lost or doubled."""

from tests.faults.kill_campaign import run


def test_kills_lose_nothing_and_double_nothing() -> None:
    """The long campaign is the same with more kills: ./run long kill-two-servers"""
    report = run(seed=10, kills=10)
    assert report.kills >= 10
    assert report.accepted > 100
