"""Risk signals: what has to be asked about a payment, what needs no asking, and that nobody waits for long."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from commands.challenges import recipient_of
from commands.notifying import OneTimeCode, masked
from commands.policies.country_middles import MIDDLES
from commands.policies.risk import SignalValue
from commands.policies.travel import NOT_KNOWN, distance_km, speed_kmh
from commands.risk_signals import Past, Question, RiskSignals, Visit, answered, in_time
from ledger.events.payments import Method
from ledger.risk_keys import Place, keys_of, place_of

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
BERLIN = Place("DE", 52_520_000, 13_405_000)
SYDNEY = Place("AU", -33_868_800, 151_209_300)
PARIS = Place("FR", 48_856_600, 2_352_200)
HERE = {"latitude": "52.52", "longitude": "13.405"}
CARD = Method("card", "tok_visa")


def question(*names: str, customer: str | None = "ann", **client: str) -> Question:
    return Question(frozenset(names), customer, CARD, 6_000, "EUR", client)


@pytest.mark.parametrize(
    ("asked", "certain", "needs_the_present"),
    [
        (question("ip_declines_1h"), {"ip_declines_1h": 0}, False),
        (question("ip_declines_1h", ip="203.0.113.9"), {}, True),
        (question("ip_declines_1h", ip="no address"), {"ip_declines_1h": 0}, False),
        (question("card_successes_1h_sum"), {}, True),
        (question("customer_successes", "amount_ratio"), {}, False),
        (
            question("customer_successes", "amount_ratio", customer=None),
            {"customer_successes": 0, "amount_ratio": 0},
            False,
        ),
        (question("distance_km", "speed_kmh"), {"distance_km": -1, "speed_kmh": -1}, False),
        (question("distance_km", customer=None, **HERE), {"distance_km": -1}, False),
        (question("distance_km", **HERE), {}, True),
        (question("distance_km", country="de"), {}, True),
    ],
)
def test_only_what_the_payment_has_is_asked_about(
    asked: Question, certain: dict[str, SignalValue], needs_the_present: bool
) -> None:
    assert asked.certain == certain
    assert asked.asked == asked.names - certain.keys()
    assert asked.needs_the_present == needs_the_present


def test_every_name_that_is_asked_gets_its_value() -> None:
    names = ("card_declines_24h", "customer_disputes", "customer_median", "amount_ratio", "distance_km", "speed_kmh")
    asked = question(*names, **HERE)
    assert asked.counted == {"card_declines_24h", "customer_disputes"}
    assert asked.asks_for_median
    assert asked.asks_for_last_visit
    past = Past(dict.fromkeys(asked.counted, 7), 2_000, Visit(SYDNEY, NOON - timedelta(hours=2)))
    values = answered(asked, past, NOON)
    assert values == {
        "card_declines_24h": 7,
        "customer_disputes": 7,
        "customer_median": 2_000,
        "amount_ratio": 300,
        "distance_km": 16_094,
        "speed_kmh": 8_047,
    }
    first_time = answered(asked, Past(past.counts), NOON)
    assert first_time["amount_ratio"] == 0
    assert (first_time["distance_km"], first_time["speed_kmh"]) == (NOT_KNOWN, NOT_KNOWN)


def test_nobody_waits_longer_than_the_rules_say() -> None:
    async def at_once() -> dict[str, SignalValue]:
        return {"ip_declines_1h": 1}

    async def never() -> dict[str, SignalValue]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:  # a database that takes its time to stop
            await asyncio.sleep(0.2)
        return {}

    async def fails() -> dict[str, SignalValue]:
        raise OSError("the database is away")

    async def ask() -> tuple[list[RiskSignals], float]:
        begun = time.monotonic()
        found = [await in_time(asking, 0.05) for asking in (at_once, never, fails)]
        took_s = time.monotonic() - begun
        await asyncio.sleep(0.25)
        return found, took_s

    found, took_s = asyncio.run(ask())
    assert found == [
        RiskSignals({"ip_declines_1h": 1}),
        RiskSignals(trouble="no answer in time"),
        RiskSignals(trouble="no answer"),
    ]
    assert took_s < 0.2


@pytest.mark.parametrize(
    ("one", "other", "kilometres"),
    [
        (BERLIN, BERLIN, 0),
        (BERLIN, PARIS, 877),
        (BERLIN, SYDNEY, 16_094),
        (Place("", 0, 0), Place("", 0, 180_000_000), 20_015),
        (Place("", 90_000_000, 0), Place("", 90_000_000, 77_000_000), 0),
        (BERLIN, Place("DE"), 0),
        (Place("DE"), Place("FR"), 809),
        (Place("??"), BERLIN, NOT_KNOWN),
    ],
)
def test_distances_are_whole_kilometres(one: Place, other: Place, kilometres: int) -> None:
    assert distance_km(one, other) == distance_km(other, one) == kilometres


def test_speeds_are_whole_kilometres_an_hour() -> None:
    assert speed_kmh(900, NOON, NOON + timedelta(minutes=30)) == 1_800
    assert speed_kmh(1, NOON, NOON) == 3_600
    assert speed_kmh(NOT_KNOWN, NOON, NOON) == NOT_KNOWN


def test_every_country_lies_on_the_earth() -> None:
    assert len(MIDDLES) > 240
    assert all(-90 <= north <= 90 and -180 <= east <= 180 and len(code) == 2 for code, (north, east) in MIDDLES.items())


@pytest.mark.parametrize(
    ("client", "place"),
    [
        ({"country": " de "}, Place("DE")),
        ({"latitude": "52.5200001", "longitude": "-13.4"}, Place("", 52_520_000, -13_400_000)),
        ({"country": "DE", "latitude": "91", "longitude": "0"}, Place("DE")),
        ({"latitude": "NaN", "longitude": "0"}, None),
        ({"latitude": "52.52"}, None),
        ({"country": "Germany"}, None),
        ({}, None),
    ],
)
def test_places_are_taken_as_far_as_they_can_be_understood(client: dict[str, str], place: Place | None) -> None:
    assert place_of(client) == place


def test_values_are_compared_in_one_form() -> None:
    method = Method("card", "tok_1", {"fingerprint": "fp", "bin": "42424", "device": "till"})
    client = {"ip": "2001:0DB8::0001", "email": " Ann@Example.ORG ", "device": ""}
    assert keys_of("ann", method, client) == {
        "card": "tok_1",
        "fingerprint": "fp",
        "customer": "ann",
        "device": "till",
        "ip": "2001:db8::1",
        "email": "ann@example.org",
    }


def test_a_code_is_shown_to_nobody_but_the_payer() -> None:
    code = OneTimeCode("pay_1", "+49309018201", "123456", NOON)
    assert "123456" not in f"{code} {code!r} {[code]}"
    assert "49309018" not in f"{code!r}"


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [("ann@example.org", "a…@example.org"), ("@example.org", "…@example.org"), ("+4930911", "…11")],
)
def test_where_a_code_goes_is_masked(recipient: str, shown: str) -> None:
    assert masked(recipient) == shown


@pytest.mark.parametrize(
    ("client", "customer", "recipient"),
    [
        ({"email": "a@b.c"}, {}, "a@b.c"),
        ({"email": "a@b.c", "phone": "+1"}, {}, "+1"),
        ({"phone": "+1"}, {"email": "known@b.c"}, "known@b.c"),
        ({"phone": ""}, {}, ""),
    ],
)
def test_what_is_known_of_a_customer_comes_before_what_an_order_says(
    client: dict[str, str], customer: dict[str, str], recipient: str
) -> None:
    assert recipient_of(client, customer) == recipient
