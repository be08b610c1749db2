"""The view of approvals: what waits, what is over, and what nobody can agree to any more."""

from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from commands.accounts import OpenAccount
from commands.approval_policy import ChangeApprovalPolicy
from commands.approvals import CancelApproval, GiveApproval
from commands.envelope import Part
from commands.transfers import PostTransfer
from ledger.approval_state import CANCELED, EXECUTED, EXPIRED, PENDING, STATUSES
from ledger.store import append
from ledger.store.connection import Database
from projections.approvals import approval, approvals
from tests.projections.reading import Reader, catch_up
from tests.writing import body_of, envelope, fresh, pen


class LongAgo(datetime):
    """The clock of a writer a year ago."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) - timedelta(days=365)


def test_each_approval_is_found_by_what_has_become_of_it(
    database: Database, book: str, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, str] = {}
    with pen(database, book) as writer:

        def wanted() -> tuple[str, str]:
            asked = body_of(writer.do(PostTransfer(fresh("ent_"), "cash", "owed", 5, "EUR")))
            return str(asked["approval_id"]), str(asked["digest"])

        with monkeypatch.context() as patch:
            patch.setattr(append, "datetime", LongAgo)
            writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
            writer.do(OpenAccount("owed", "Owed", "liability", "EUR"))
            writer.do(ChangeApprovalPolicy("auditor", transfers={}))
            made[EXPIRED] = wanted()[0]
        made[PENDING] = wanted()[0]
        made[CANCELED] = wanted()[0]
        writer.do(CancelApproval(made[CANCELED]))
        catch_up(database, book)  # What follows is of another page.
        made[EXECUTED], digest = wanted()
        catch_up(database, book)
        agreed = GiveApproval(made[EXECUTED], digest)
        assert writer.submit([Part(envelope(actor="key_ben", person="ben"), agreed)])()[0].status == 200
    catch_up(database, book)
    now = datetime.now(UTC)
    for status in STATUSES:
        found = reader.ask(approvals, now=now, status=status)
        assert [(one.id, one.status) for one in found] == ([(made[status], status)] if status in made else [])
    everything = reader.ask(approvals, now=now)
    assert [one.id for one in everything] == list(made.values())
    assert everything == [reader.ask(approval, name, now) for name in made.values()]
    last = everything[-1]
    assert (last.maker, last.maker_key, last.checker, last.checker_key) == ("key_tests", "key_tests", "ben", "key_ben")
    assert [one.id for one in reader.ask(approvals, now=now, after=everything[1].position, limit=1)] == [made[CANCELED]]
