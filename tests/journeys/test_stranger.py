"""A stranger reads the description of the interface and tries everything: no 5xx, no answer that it does not tell."""

from tests.journeys.service import Service
from tests.journeys.stranger import meet


def test_a_stranger_finds_nothing_that_is_not_described(service: Service) -> None:
    """The same every time; `./run long schemathesis` tries 20,000 and never the same.

    The phase that goes through every bound of every field takes minutes, and is left to that.
    """
    met = meet(service, examples=16, seed=1, phases="examples,fuzzing,stateful")
    assert met.code == 0, met.told
    assert met.cases > 2_000
