"""The service and a plain-Python model of it, asked the same over HTTP; and what it tells of the past."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from psycopg import Connection, errors

from ledger.store.connection import Database
from ledger.store.migrate import application_role, migrate_control
from tests.journeys.service import Service
from tests.properties.http_driver import OverHttp
from tests.properties.machine import LedgerMachine, accounts, indices, run

pytestmark = pytest.mark.alone

DATES = [datetime(2020, month, 20, tzinfo=UTC) for month in (1, 2, 3)]


class OverHttpMachine(LedgerMachine):
    """What only a service can be asked: through which of its servers, and what was known when."""

    driver: OverHttp

    @rule()
    def switch_the_server(self) -> None:
        self.driver.switch()

    @rule(account=accounts, index=indices, as_of=st.sampled_from([None, *DATES]))
    def look_back(self, account: str, index: int, as_of: datetime | None) -> None:
        """What an account held, with what took effect until then, as it was known at a position."""
        if account not in self.model.accounts:
            return
        known_at = index % (self.model.position + 1)
        when: dict[str, str | int] = {"known_at": known_at}
        if as_of is not None:
            when["as_of"] = as_of.isoformat()
        told = self.driver.balance(account, **when)
        assert told["position"] == known_at
        assert self.told(told) == self.model.past.turnover_at(account, known_at, as_of), (
            account,
            known_at,
            as_of,
            told,
        )

    @rule(index=indices, as_of=st.sampled_from([None, *DATES]))
    def look_back_at_all(self, index: int, as_of: datetime | None) -> None:
        """At every position that is asked, all accounts together come to zero in each currency."""
        known_at = index % (self.model.position + 1)
        when: dict[str, str | int] = {"known_at": known_at}
        if as_of is not None:
            when["as_of"] = as_of.isoformat()
        told = self.driver.trial_balance(**when)
        assert {totals["difference"] for totals in told["currencies"].values()} <= {0}
        for row in told["accounts"]:
            debits, credits_, _, _ = self.model.past.turnover_at(row["account"], known_at, as_of)
            assert (row["debits"], row["credits"]) == (debits, credits_), (known_at, as_of, row)

    @rule(account=accounts)
    def look_at_the_present(self, account: str) -> None:
        if account in self.model.accounts:
            model, told = self.model.accounts[account], self.driver.balance(account)
            assert self.told(told) == model.turnover
            assert (told["posted"]["balance"], told["available"]) == (model.balance, model.available)
            assert told["position"] == self.model.position

    @staticmethod
    def told(balance: dict[str, dict[str, int]]) -> tuple[int, int, int, int]:
        posted, pending = balance["posted"], balance["pending"]
        return posted["debits"], posted["credits"], pending["debits"], pending["credits"]


@pytest.fixture(scope="module")
def service(make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    try:
        url = make_database()
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make databases")
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        database = Database(url, role=application_role(connection))
    with Service(database, Path(tmp_path_factory.mktemp("service"))) as running:
        yield running


def test_the_service_answers_as_the_model_does(service: Service) -> None:
    outcomes = run(OverHttpMachine, lambda: OverHttp(service), books=32)
    assert outcomes.total() >= 2_000
