"""Lists of proposals, page by page."""

from services.chassis import names, paging
from services.chassis.access import Principal, organization_of
from services.chassis.causes import said
from services.chassis.errors import PermissionDenied, Violation, invalid
from services.matching.domain.proposals import UNSEEN
from services.matching.store.proposals import Filter, Proposals
from services.matching.usecases.answers import Answers
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal

_ALL_ROUNDS = "rounds/-"
_SEEN = tuple(value for value in Proposal.State.values() if value and value not in UNSEEN)


class Inbox:
    """Lists proposals for a party, or for an operator."""

    def __init__(self, store: Proposals, answers: Answers) -> None:
        self._store = store
        self._answers = answers

    async def list(
        self, request: pb.ListProposalsRequest, principal: Principal
    ) -> pb.ListProposalsResponse:
        """Return a page. Raises InvalidArgument (FIELD_INVALID, PAGE_TOKEN_INVALID)."""
        wanted = _filter(request, principal)
        page = paging.Page.of(request)
        before, size = str(page.start.get("before", "")), page.size
        found = await self._store.page(wanted, before, size + 1)
        operator = principal.role == "operator"
        seen = [self._answers.view(each, request.party, operator=operator) for each in found[:size]]
        answer = pb.ListProposalsResponse(proposals=seen)
        if len(found) > size:
            answer.next_page_token = page.following(before=found[size - 1].document["order"])
        return answer


def _filter(request: pb.ListProposalsRequest, principal: Principal) -> Filter:
    parent = "" if request.parent == _ALL_ROUNDS else request.parent
    if parent:
        names.parse("rounds/{round}", parent, field="parent")
    if not request.party and (request.posting or request.awaiting_answer):
        raise invalid(Violation("party", said(cause_pb2.CAUSE_FILTER_OF_A_PARTY)))
    if request.posting and organization_of(request.posting) != request.party:
        raise PermissionDenied(
            reason_pb2.REASON_ORGANIZATION_FORBIDDEN, said(cause_pb2.CAUSE_OTHERS_POSTING)
        )
    states = tuple(_state(name) for name in request.states)
    if principal.role != "operator" or request.party:
        states = tuple(state for state in states or _SEEN if state in _SEEN) or (0,)
        if not request.states:
            states = _SEEN
    return Filter(parent, request.party, request.posting, request.awaiting_answer, states)


def _state(name: str) -> int:
    known = Proposal.State.DESCRIPTOR.values_by_name.get(name)
    if known is None or not known.number:
        known_names = ", ".join(Proposal.State.Name(each) for each in _SEEN)
        words = said(cause_pb2.CAUSE_NO_SUCH_STATE, state=name, known=known_names)
        raise invalid(Violation("states", words))
    return int(known.number)
