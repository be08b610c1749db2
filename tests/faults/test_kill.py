"""Killed processes: the campaign of `./run long kill`, in small."""

from tests.campaigns import kill


def test_killing_every_kind_of_process_under_load_loses_and_doubles_nothing() -> None:
    report = kill.run(faults=10, seed=7, clients=4)
    assert report.is_clean, report
    assert sum(report.faults.values()) == 10
    assert report.acknowledged > 20
