"""What a call is remembered by: names from where each kind of request and answer keeps them."""

from services.chassis.access import ANONYMOUS, Principal, Rule
from services.chassis.mutations import OK, Mutation, of_call
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.registry.v1 import registry_service_pb2 as registry

A = "organizations/a"
MEMBER = Principal(f"{A}/members/m", "member", A, "trader", frozenset({"read", "write"}))
SERVICE = Principal("services/matching", "service", "", "service", frozenset({"write"}))


def rule(field: str) -> Rule:
    return Rule(False, frozenset(), field, write=True, recorded=True)


def one(
    path: str, field: str, request: object, answer: object = None, outcome: str = OK
) -> Mutation:
    [found] = of_call(path, rule(field), MEMBER, request, answer, outcome, "id")  # type: ignore[arg-type]
    return found


def test_what_was_made_is_named_by_the_answer() -> None:
    path = "/spareline.registry.v1.RegistryService/CreateOffer"
    made = one(
        path,
        "parent",
        registry.CreateOfferRequest(parent="organizations/b", offer=Offer(title="hidden")),
        Offer(name="organizations/b/offers/1", title="hidden"),
    )
    assert (made.method, made.verb) == ("RegistryService.CreateOffer", "create")
    assert (made.organization, made.resource) == ("organizations/b", "organizations/b/offers/1")
    assert "hidden" not in str(made)
    refused = one(path, "parent", registry.CreateOfferRequest(parent=A), None, "REASON_X")
    assert (refused.resource, refused.outcome) == (A, "REASON_X")


def test_an_answer_to_a_proposal_is_its_party_s() -> None:
    name = "rounds/r/proposals/p"
    request = matching.AcceptProposalRequest(name=name, party="organizations/b")
    found = one("/spareline.matching.v1.MatchingService/AcceptProposal", "party", request)
    assert (found.organization, found.resource) == ("organizations/b", name)


def test_each_part_of_a_batch_has_its_own_outcome() -> None:
    requests = [
        matching.AcceptProposalRequest(name=f"rounds/r/proposals/{i}", party=f"organizations/{i}")
        for i in range(2)
    ]
    answer = matching.BatchAcceptProposalsResponse(
        results=[matching.AcceptResult(), matching.AcceptResult(reason="REASON_LEASE_EXPIRED")]
    )
    found = of_call(
        "/spareline.matching.v1.MatchingService/BatchAcceptProposals",
        rule("requests.party"),
        MEMBER,
        matching.BatchAcceptProposalsRequest(requests=requests),
        answer,
        OK,
        "id",
    )
    assert [(each.organization, each.resource, each.outcome) for each in found] == [
        ("organizations/0", "rounds/r/proposals/0", OK),
        ("organizations/1", "rounds/r/proposals/1", "REASON_LEASE_EXPIRED"),
    ]


def test_checks_services_and_the_unknown_leave_nothing() -> None:
    path = "/spareline.registry.v1.RegistryService/CreateOffer"
    check = registry.CreateOfferRequest(parent=A, validate_only=True)
    assert not of_call(path, rule("parent"), MEMBER, check, None, OK, "id")
    request = registry.CreateOfferRequest(parent=A)
    assert not of_call(path, rule("parent"), SERVICE, request, None, OK, "id")
    assert not of_call(path, rule("parent"), ANONYMOUS, request, None, "REASON_X", "id")
