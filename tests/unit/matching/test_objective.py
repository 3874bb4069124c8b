"""One term of the objective, one test; and what of a demand takes part."""

from __future__ import annotations

from services.matching.domain.objective import NAMES
from services.matching.domain.problem import Problem, build
from services.matching.engine import Term, solve
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.policy_pb2 import FairnessAccount, PriorityClass, TransportRate
from spareline.matching.v1.proposal_pb2 import Proposal
from tests.unit.matching import books

PLACES = [books.organization("a", "CN-GD", "A"), books.organization("b", "CN-ZJ")]  # 1048 km


def term(name: str, problem: Problem) -> Term:
    assert tuple(each.name for each in problem.market.terms) == NAMES
    return problem.market.terms[NAMES.index(name)]


def one(
    offer: Offer | None = None,
    demand: Demand | None = None,
    more: dict[str, object] | None = None,
    **weights: object,
) -> Problem:
    book = books.book([offer or books.offer("a/m")], [demand or books.demand("b/n")], PLACES)
    policy = books.policy(**weights)
    return build(book, policy, now_period=books.NOW, **(more or {}))  # type: ignore[arg-type]


def test_surplus_is_value_less_price_transport_and_setup() -> None:
    rate = TransportRate(per_tick_1000km=10, per_shipment_km=2)
    problem = one(books.offer("a/m", setup_price=501), transport=[rate])
    found = term("surplus", problem)
    assert found.per_tick.tolist() == [200 - 100 - 10]
    assert found.per_pair.tolist() == [-2 * 1048]
    assert found.per_setup.tolist() == [-501]
    problem = build(
        books.book([books.offer("a/m", setup_price=501)], [books.demand("b/n")], PLACES),
        books.policy(transport=[]),
        now_period=books.NOW,
    )
    assert term("surplus", problem).per_tick.tolist() == [100]


def test_weights_round_towards_zero() -> None:
    book = books.book([books.offer("a/m", setup_price=999)], [books.demand("b/n")])
    policy = books.policy()
    policy.surplus_permille = 15
    found = term("surplus", build(book, policy, now_period=books.NOW))
    assert found.per_tick.tolist() == [1]  # 1.5
    assert found.per_setup.tolist() == [-14]  # -14.985


def test_fill_by_value_and_by_demand() -> None:
    found = term("fill", one(fill_permille=100, fill_per_demand=4000))
    assert (found.per_tick.tolist(), found.per_line.tolist()) == ([20], [4000])
    partial = books.demand("b/n", books.line(least=10))
    found = term("fill", one(demand=partial, fill_per_demand=4000))
    assert (found.per_tick.tolist(), found.per_line.tolist()) == ([100], [0])


def test_fairness_weighs_need_and_the_head_of_the_book() -> None:
    account = FairnessAccount(organization="organizations/b", need_permille=500)
    given: dict[str, object] = {"fairness": {"organizations/b": account}}
    assert term("fairness", one(more=given, fairness_permille=100)).per_tick.tolist() == [10]
    given["heads"] = ["organizations/b/demands/n"]
    assert term("fairness", one(more=given, fairness_permille=100)).per_tick.tolist() == [30]


def test_locality() -> None:
    found = term("locality", one(locality_per_tick_1000km=50))
    assert found.per_tick.tolist() == [-52]  # 52.4


def test_partners() -> None:
    assert term("partners", one(partner_penalty=700)).per_pair.tolist() == [-700]


def test_credit_counts_grades_above_e() -> None:
    assert term("credit", one(credit_permille=10)).per_tick.tolist() == [200 * 4 * 10 // 1000]


def test_preference() -> None:
    liked = books.demand("b/n", preferred_organizations=["organizations/a"])
    assert term("preference", one(demand=liked, preference_permille=50)).per_tick.tolist() == [10]
    assert term("preference", one(preference_permille=50)).per_tick.tolist() == [0]


def test_priority() -> None:
    classes = [PriorityClass(name="emergency", bonus_permille=2000)]
    urgent = books.demand("b/n", priority_class="emergency")
    assert term("priority", one(demand=urgent, priority_classes=classes)).per_tick.tolist() == [400]
    assert term("priority", one(priority_classes=classes)).per_tick.tolist() == [0]


def held(state: int = Proposal.STATE_PROPOSED, quantity: int = 40) -> Proposal:
    made = Proposal(name="rounds/r0/proposals/p", demand="organizations/b/demands/n")
    made.state = state  # type: ignore[assignment]
    leg = made.legs.add(offer="organizations/a/offers/m", line="part", party_index=1)
    leg.deliveries.add(period=books.week(1), quantity=quantity)
    made.parties.add(organization="organizations/b", side="demand")
    made.parties.add(organization="organizations/a", side="offer")
    return made


def with_hold(least: int = 0, quantity: int = 40) -> tuple[Offer, Demand]:
    offer, demand = books.offer("a/m"), books.demand("b/n", books.line(least=least))
    offer.balances.add(period=books.week(1), capacity=100, held=quantity)
    demand.balances.add(line="part", quantity=40, held=quantity)
    return offer, demand


def test_change_rewards_repeating_a_reopened_leg() -> None:
    offer, demand = with_hold()
    more: dict[str, object] = {"pins": [held()]}
    problem = one(offer, demand, more, change_permille=100, reopens_unanswered=True)
    assert term("change", problem).per_pair.tolist() == [200 * 40 * 100 // 1000]
    assert problem.live.reopened == ["rounds/r0/proposals/p"]
    assert problem.market.slot_capacity.tolist() == [100]
    pinned = one(offer, demand, more, change_permille=100)
    assert (pinned.live.pinned, pinned.market.lines) == (1, 0)


def test_a_partial_line_takes_part_with_its_remainder() -> None:
    offer, demand = with_hold(least=30, quantity=25)
    problem = one(offer, demand)
    assert problem.market.line_quantity.tolist() == [15]
    assert problem.market.line_least.tolist() == [15]
    assert problem.market.slot_capacity.tolist() == [75]


def test_a_line_waits_for_the_one_promised_before_it() -> None:
    demand = books.demand("b/n", books.line("part"), books.line("after", code=books.TURNING))
    demand.precedences.add(before="part", after="after")
    demand.balances.add(line="part", quantity=40, committed=40)
    offers = [
        books.offer("a/m"),
        books.offer("a/turn", code=books.TURNING, capacity={1: 50, 2: 50}),
    ]
    book = books.book(offers, [demand])
    live = [held(Proposal.STATE_CONFIRMED)]
    problem = build(book, books.policy(), now_period=books.NOW, pins=live)
    result = solve(problem.market)
    used = problem.market.x_slot[result.quantity > 0]
    assert (problem.market.slot_period[used] - books.NOW).tolist() == [2]
    unknown = build(book, books.policy(), now_period=books.NOW)
    assert unknown.market.lines == 0


def test_concentration_caps_each_organization() -> None:
    demands = [books.demand("b/n"), books.demand("b/o"), books.demand("c/n")]
    book = books.book([books.offer("a/m")], demands)
    policy = books.policy(concentration_permille=500)
    problem = build(book, policy, now_period=books.NOW)
    assert problem.market.cap_limit.tolist() == [50, 50]
    assert sorted(problem.market.cap_pairs.tolist()) == [0, 1, 2]
    result = solve(problem.market)
    assert result.objective == 2 * 40 * 100  # one of b's two, and c's
