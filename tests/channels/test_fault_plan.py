"""The fault plan: which rule fires for which request, the same each time."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from commands.channels.simulator.conduct import ANSWER_FAULTS, CALLBACK_FAULTS, DECLINES, Conduct
from commands.channels.simulator.faults import Counted, Match, Rule, judge

CHARGES = Match("charge")


def fired(rules: Sequence[Rule], calls: Sequence[str | None], seed: int = 1) -> list[Conduct]:
    counted, conducts = [Counted(rule) for rule in rules], []
    for token in calls:
        conduct, counts = judge(seed, counted, "charge", token, Conduct())
        for place, count in counts.items():
            counted[place] = count
        conducts.append(conduct)
    return conducts


def test_nth_fires_once_at_its_place() -> None:
    rule = Rule(Match("charge", nth=3), "timeout_after")
    assert [each.answer for each in fired([rule], ["t"] * 5)] == [None, None, "timeout_after", None, None]


def test_times_is_how_often_it_fires_at_most() -> None:
    rule = Rule(CHARGES, "error_500_before", times=2)
    assert [each.answer is None for each in fired([rule], ["t"] * 4)] == [False, False, True, True]


def test_a_token_and_an_operation_are_matched() -> None:
    rules = [Rule(Match("charge", token="a", nth=2), "hang"), Rule(Match("refund"), "timeout_before")]
    assert [each.answer for each in fired(rules, ["a", "b", None, "a", "a"])] == [None, None, None, "hang", None]


def test_of_the_rules_about_one_part_the_first_one_counts() -> None:
    rules = [
        Rule(CHARGES, "timeout_after", times=1),
        Rule(CHARGES, "error_500_after"),
        Rule(CHARGES, "late_callback", delay_ms=5),
        Rule(CHARGES, "no_callback"),
        Rule(CHARGES, "decline:stolen_card"),
        Rule(CHARGES, "late_success", delay_ms=7),
    ]
    both = Conduct(decline="stolen_card", answer="timeout_after", callback="late_callback", callback_after_ms=5)
    assert fired(rules, ["t", "t"]) == [both, structs.replace(both, answer="error_500_after")]


@given(seed=st.integers(), permille=st.integers(0, 1000))
def test_a_seed_gives_the_same_faults_each_time(seed: int, permille: int) -> None:
    rules = [Rule(CHARGES, "timeout_after", permille), Rule(CHARGES, "no_callback", permille)]
    once = fired(rules, ["t"] * 50, seed)
    assert once == fired(rules, ["t"] * 50, seed)
    if permille in (0, 1000):
        assert {each.answer for each in once} == {"timeout_after" if permille else None}


def test_a_probability_is_met_and_two_seeds_differ() -> None:
    rule = Rule(CHARGES, "timeout_after", probability_permille=100)
    one, other = (fired([rule], ["t"] * 2_000, seed) for seed in (1, 2))
    for conducts in (one, other):
        assert 150 <= sum(each.answer is not None for each in conducts) <= 250
    assert one != other


def test_every_fault_and_every_decline_can_be_planned() -> None:
    for fault in [*ANSWER_FAULTS, *CALLBACK_FAULTS, "late_success", *(f"decline:{code}" for code in DECLINES)]:
        assert fired([Rule(CHARGES, fault)], ["t"]) != [Conduct()], fault
