"""A mixed day over HTTP with the channel's faults on: both books agree, and ours balance at every position."""

from tests.journeys import mixed_day, mixed_day_faults
from tests.journeys.mixed_day import SILENT_CARDS, SILENT_REFUNDS, Sizes
from tests.journeys.service import Service


def test_a_mixed_day_ends_with_both_books_in_agreement(service: Service) -> None:
    report = mixed_day.run(service, Sizes())
    assert report.wrong == []
    # The day was what it is meant to be: every fault came about, and every way to end was taken.
    assert {fault for fault in mixed_day_faults.of_every_day() if not report.faults[fault]} == set()
    assert report.evening["payments"]["processing"] >= SILENT_CARDS
    assert report.evening["refunds"]["processing"] >= SILENT_REFUNDS
    assert report.night["payments"].keys() == {"succeeded", "failed"}
    assert report.night["refunds"].keys() == {"succeeded", "failed"}
    assert report.night["top_ups"].keys() == {"succeeded", "failed"}
    assert report.currencies.keys() == {*mixed_day.CURRENCIES}
    assert report.moments >= 50
    assert report.verified["is_right"] is True
