"""One simulator for the tests of a file; its fault plan is empty at the start of each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.simulator_process import Receiver, SimulatorProcess


@pytest.fixture(scope="module")
def simulator_of_the_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def simulator(simulator_of_the_file: SimulatorProcess) -> SimulatorProcess:
    simulator_of_the_file.set_faults()
    return simulator_of_the_file


@pytest.fixture
def own_simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    """One that the test may kill."""
    with SimulatorProcess(tmp_path) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Who is called back."""
    with Receiver() as running:
        yield running


@pytest.fixture
def calling(tmp_path: Path, receiver: Receiver) -> Iterator[SimulatorProcess]:
    """A simulator that calls the receiver back."""
    with SimulatorProcess(tmp_path, receiver.url) as running:
        yield running
