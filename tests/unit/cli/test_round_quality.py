"""The table of a round's measures beside its value."""

from cli.round_quality import quality
from spareline.matching.v1.round_pb2 import Outcome


def test_what_was_given_up_and_kept_is_told_where_there_was_something() -> None:
    plain = dict(quality(Outcome(blocking_pairs=3, blocking_pairs_before=3, gini_permille=213)))
    assert plain["blocking pairs"] == "3"
    assert plain["uneven service of need (Gini)"] == "21.3 %"
    assert not [name for name in plain if "before" in name or "earlier" in name]
    paid = Outcome(
        blocking_pairs=3,
        blocking_pairs_before=8,
        stability_cost=120_050,
        legs_reopened=12,
        legs_kept=10,
        value_kept_permille=912,
    )
    told = dict(quality(paid))
    assert told["blocking pairs before the policy avoided some"] == "8"
    assert told["value given up for that, CNY"] == "1,200.50"
    assert told["earlier legs kept"] == "10 of 12"
    assert told["value of earlier legs kept"] == "91.2 %"
