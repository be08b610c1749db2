"""One service for all journeys, started once; a book for each file of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import Connection, errors

from ledger.store.connection import Database
from ledger.store.migrate import application_role, migrate_control
from tests.journeys.bad_inputs import Desk, set_up_desk
from tests.journeys.caller import Caller
from tests.journeys.service import Service


@pytest.fixture(scope="session")
def service(make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """All processes, on a database of their own: a worker serves every book that it finds."""
    try:
        url = make_database()
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make databases")
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        database = Database(url, role=application_role(connection))
    with Service(database, Path(tmp_path_factory.mktemp("service"))) as running:
        yield running


@pytest.fixture(scope="module")
def home(service: Service) -> str:
    """The name of the book that the tests of one file share."""
    return service.new_book()


@pytest.fixture(scope="module")
def caller(service: Service, home: str) -> Caller:
    """Somebody who may do everything in `home`."""
    return service.caller(home)


@pytest.fixture(scope="session")
def desk(service: Service) -> Desk:
    """Where bad inputs are put; none of them changes it."""
    return set_up_desk(service)
