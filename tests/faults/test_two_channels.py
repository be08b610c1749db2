"""Two channels with every fault of the plan on: the campaign of `./run long two-channels`, in small."""

from commands.channels.simulator.conduct import ANSWER_FAULTS, CALLBACK_FAULTS
from tests.campaigns import two_channels
from tests.faults.two_channels import Sizes
from tests.faults.two_channels_plan import CARDS, OTHERS, plan_of


def test_nobody_pays_twice_and_every_channel_s_books_agree_with_ours_payment_by_payment() -> None:
    report = two_channels.run(Sizes(payments=60, seed=5))
    assert report.wrong == []
    assert sum(report.payments.values()) == 60
    assert set(report.attempts) == {*CARDS, *OTHERS}
    assert report.failed_over > 0
    # Money that came for what had failed, or had been given up, was kept apart.
    assert sum(report.unapplied.values()) > 0
    assert sum(fired > 0 for fired in report.faults.values()) >= 12


def test_the_plan_of_every_channel_has_every_fault() -> None:
    for channel in (*CARDS, *OTHERS):
        faults = {rule["fault"].partition(":")[0] for rule in plan_of(channel)}
        assert faults == ANSWER_FAULTS | CALLBACK_FAULTS | {"late_success", "decline"}
