"""Histories: after each event of whatever happens to a payment, the books say what the payment says.

93 of the list of scenarios; ten thousand and more of them are told by `./run long histories`.
"""

from random import Random

from hypothesis import given as sampled
from hypothesis import settings
from hypothesis import strategies as st

from tests.commands.histories import tell


@settings(max_examples=60)
@sampled(st.randoms(use_true_random=False), st.integers(1, 40))
def test_p93_the_books_hold_after_each_event_of_any_history(chance: Random, steps: int) -> None:
    tell(chance, steps)


def test_a_history_reaches_what_it_is_about() -> None:
    """Else the law above could hold of nothing."""
    topics = {recorded.event.topic for seed in range(80) for recorded in tell(Random(seed), 40).log}
    assert topics >= {
        "payments.captured.v1",
        "payments.receipt_unapplied.v1",
        "receipts.return_requested.v1",
        "refunds.requested.v1",
        "refunds.succeeded.v1",
        "refunds.returned.v1",
        "disputes.funds_taken.v1",
        "disputes.funds_returned.v1",
        "disputes.lost.v1",
    }
