"""A COMMIT whose answer is lost: the writer looks for the key, so that there is one effect and the true answer."""

import random
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from commands.accounts import OpenAccount
from commands.envelope import Answer, Command
from commands.holds import CaptureHold
from commands.transfers import PlaceHold, PostTransfer
from ledger.events.holds import HoldCaptured, HoldPlaced
from ledger.store.connection import Database, in_book
from tests.faults.severing_proxy import Cut, SeveringProxy
from tests.writing import Pen, body_of, check_books, fresh, part, pen, said

LOST = 200
PENS = 8
MOMENTS = [Cut.AFTER] * 6 + [Cut.DURING, Cut.BEFORE, None, None]


def open_accounts(writer: Pen) -> None:
    writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
    writer.do(OpenAccount("ada", "Ada", "liability", "EUR", min_balance=0))
    writer.do(OpenAccount("bob", "Bob", "liability", "EUR", min_balance=0))


def through(proxy: SeveringProxy, database: Database) -> Database:
    return Database(proxy.conninfo, role=database.role)


@pytest.mark.parametrize("cut", list(Cut))
def test_one_cut_at_a_commit_is_answered_truthfully(database: Database, book: str, cut: Cut) -> None:
    """Cut before, while and after the server commits: the caller sees one answer and the log one effect."""
    plan: list[Cut | None] = []
    with (
        SeveringProxy(database.conninfo, lambda: plan.pop() if plan else None) as proxy,
        pen(through(proxy, database), book) as writer,
    ):
        open_accounts(writer)
        plan.append(cut)
        answer = writer.do(PostTransfer("ent_1", "cash", "ada", 500, "EUR", reference="salary"), key="k1")
        assert proxy.cuts[cut] == 1
        if cut is not Cut.DURING:
            assert answer.replayed == (cut is Cut.AFTER)
        assert body_of(answer)["id"] == "ent_1"
        again = writer.do(PostTransfer("ent_1", "cash", "ada", 500, "EUR", reference="salary"), key="k1")
        assert said(again) == said(answer)
    with database.connect() as connection:
        log = check_books(connection, book)
    assert [fact.stream for fact in log if fact.metadata.key == "k1"] == ["ent_1"]


def test_200_lost_acknowledgements_double_nothing_and_give_no_false_conflict(database: Database, book: str) -> None:
    """The long campaign is the same with more of them: ./run long acknowledgements"""
    cuts = lose_acknowledgements(database, book, LOST, seed=200)
    assert cuts[Cut.AFTER] >= LOST


def lose_acknowledgements(
    database: Database, book: str, lost: int, seed: int, progress: Callable[[int], None] = lambda lost: None
) -> dict[Cut, int]:
    """Have writers write through a proxy until so many acknowledgements were lost; returns how often it cut where.

    Each transfer carries a reference, so that a second try that did not look for the key would be a conflict.
    """
    chance = random.Random(seed)
    answers: dict[str, Answer] = {}
    failed: list[BaseException] = []

    def a_round(writer: Pen, choose: random.Random) -> None:
        hold = fresh("hold_")
        commands: list[Command] = [
            PostTransfer(fresh("ent_"), "cash", "ada", choose.randint(1, 9), "EUR", reference=fresh("reference-"))
            for _ in range(choose.choice((1, 1, 5, 20)))
        ]
        commands += [PlaceHold(hold, "cash", "bob", 10, "EUR"), CaptureHold(hold, 4, final=True)]
        sent = [(command, fresh("key-")) for command in commands]
        waiting = [(key, writer.submit([part(command, key)], patience_s=60)) for command, key in sent]
        for key, wait in waiting:
            (answers[key],) = wait()
        command, key = choose.choice(sent)
        (replay,) = writer.submit([part(command, key)], patience_s=60)()
        assert said(replay) == said(answers[key])
        assert replay.replayed

    def run(number: int) -> None:
        choose = random.Random(f"{seed}/{number}")
        try:
            with pen(through(proxy, database), book) as writer:
                while proxy.cuts[Cut.AFTER] < lost and not failed:
                    a_round(writer, choose)
                    progress(proxy.cuts[Cut.AFTER])
        except BaseException as error:
            failed.append(error)

    with pen(database, book) as writer:
        open_accounts(writer)
    with SeveringProxy(database.conninfo, lambda: chance.choice(MOMENTS)) as proxy:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(PENS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    judge(database, book, answers)
    return proxy.cuts


def judge(database: Database, book: str, answers: dict[str, Answer]) -> None:
    """No refusal, one effect for each key, at the position that was answered."""
    assert {answer.status for answer in answers.values()} == {201}, "a false conflict"
    with database.connect() as connection:
        log = check_books(connection, book)
        keys = connection.execute(in_book("SELECT key FROM {schema}.idempotency_keys", book)).fetchall()
    effects = Counter(fact.metadata.key for fact in log)
    assert all(effects[key] == 1 for key in answers), "lost or doubled"
    assert {key for (key,) in keys} == set(effects)
    at = {fact.metadata.key: fact.position for fact in log}
    assert all(answer.position == at[key] for key, answer in answers.items())
    placed = sum(isinstance(fact.event, HoldPlaced) for fact in log)
    assert placed == sum(isinstance(fact.event, HoldCaptured) for fact in log)
