"""Tmp."""
import time
from projections.replay import replay
from projections.rebuild import rebuild
from projections.recount import compare_balances
from tests.projections.days_work import transfers, open_accounts
from tests.projections.reading import catch_up
from tests.writing import pen, part
def test_speed(database, book):
    with pen(database, book) as held:
        open_accounts(held)
        for s in range(60):
            held.submit([part(c) for c in transfers(s, 1000)])()
    catch_up(database, book)
    t=time.time(); r=replay(database, book); print("replay", time.time()-t, r.position, r.is_equal, r.seconds)
    t=time.time(); rebuild(database, book, "postings", swap=False); print("rebuild postings", time.time()-t)
    t=time.time(); compare_balances(database, book); print("recount", time.time()-t)
    from projections.what_if_postings import replay_postings
    from ledger.posting_rules.versions import PostingRules
    from ledger.posting_rules import transfers as tr
    from ledger.events.transfers import TransferPosted
    t=time.time(); replay_postings(database, book, PostingRules({TransferPosted: tr.transfer})); print("what if", time.time()-t)
