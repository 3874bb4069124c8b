"""MatchingService over gRPC: each method hands its request to one use case."""

from collections.abc import AsyncIterator
from typing import Any

from google.longrunning import operations_pb2

from services.chassis import causes
from services.chassis.access import current
from services.chassis.errors import DomainError
from services.chassis.grpc_errors import reason_name
from services.matching import redact
from services.matching.usecases.analysis import Analysis
from services.matching.usecases.answers import Answers
from services.matching.usecases.deliveries import DeliveryDesk
from services.matching.usecases.inbox import Inbox
from services.matching.usecases.moving import Result
from services.matching.usecases.operations import operation_of
from services.matching.usecases.policies import PolicyBook
from services.matching.usecases.reading import ReadingRoom
from services.matching.usecases.rounds import RoundDesk
from services.matching.usecases.watch import Watch
from spareline.matching.v1 import (
    explanation_pb2,
    matching_service_pb2_grpc,
    policy_pb2,
    proposal_pb2,
    round_analysis_pb2,
    round_pb2,
)
from spareline.matching.v1 import matching_service_pb2 as pb

Context = Any
_Base: Any = matching_service_pb2_grpc.MatchingServiceServicer


class MatchingServicer(_Base):  # type: ignore[misc]
    """The service's methods, in the order of its proto."""

    def __init__(
        self,
        desk: RoundDesk,
        answers: Answers,
        inbox: Inbox,
        watch: Watch,
        reading: ReadingRoom,
        policies: PolicyBook,
        analysis: Analysis,
        deliveries: DeliveryDesk,
    ) -> None:
        self._desk = desk
        self._answers = answers
        self._inbox = inbox
        self._watch = watch
        self._reading = reading
        self._policies = policies
        self._analysis = analysis
        self._deliveries = deliveries

    async def RunRound(
        self, request: pb.RunRoundRequest, _context: Context
    ) -> operations_pb2.Operation:
        """Ask for a round."""
        return operation_of(await self._desk.run(request))

    async def GetRound(self, request: pb.GetRoundRequest, _context: Context) -> round_pb2.Round:
        """Read a round."""
        return await self._desk.get(request.name, current())

    async def ListRounds(
        self, request: pb.ListRoundsRequest, _context: Context
    ) -> pb.ListRoundsResponse:
        """List rounds."""
        return await self._desk.list(request, current())

    async def WatchRound(
        self, request: pb.WatchRoundRequest, _context: Context
    ) -> AsyncIterator[round_pb2.Round]:
        """Follow a round until it ends."""
        async for round_ in self._desk.watch(request.name, current()):
            yield round_

    async def CancelRound(
        self, request: pb.CancelRoundRequest, _context: Context
    ) -> round_pb2.Round:
        """Stop a round."""
        return await self._desk.cancel(request, current())

    async def VerifyRound(
        self, request: pb.VerifyRoundRequest, _context: Context
    ) -> round_pb2.Verification:
        """Check a stored round."""
        return await self._desk.verify(request)

    async def GetRoundFlows(
        self, request: pb.GetRoundFlowsRequest, _context: Context
    ) -> round_analysis_pb2.RoundFlows:
        """Read where a round flows."""
        return await self._analysis.flows(request.name, current())

    async def GetRoundComparison(
        self, request: pb.GetRoundComparisonRequest, _context: Context
    ) -> round_analysis_pb2.RoundComparison:
        """Set two rounds side by side."""
        return await self._analysis.comparison(request, current())

    async def GetProposal(
        self, request: pb.GetProposalRequest, _context: Context
    ) -> proposal_pb2.Proposal:
        """Read a proposal."""
        seen = await self._answers.get(request.name, request.party, operator=_is_operator())
        return await self._reading.with_choices(seen, request.party)

    async def ListProposals(
        self, request: pb.ListProposalsRequest, _context: Context
    ) -> pb.ListProposalsResponse:
        """List proposals."""
        return await self._inbox.list(request, current())

    async def AcceptProposal(
        self, request: pb.AcceptProposalRequest, _context: Context
    ) -> proposal_pb2.Proposal:
        """Accept for a party."""
        return await self._answers.accept(request)

    async def BatchAcceptProposals(
        self, request: pb.BatchAcceptProposalsRequest, _context: Context
    ) -> pb.BatchAcceptProposalsResponse:
        """Accept for many."""
        results = await self._answers.accept_many(request.requests)
        return pb.BatchAcceptProposalsResponse(results=[_accepted(each) for each in results])

    async def DeclineProposal(
        self, request: pb.DeclineProposalRequest, _context: Context
    ) -> proposal_pb2.Proposal:
        """Decline for a party."""
        return await self._answers.decline(request)

    async def CounterProposal(
        self, request: pb.CounterProposalRequest, _context: Context
    ) -> proposal_pb2.Proposal:
        """Ask for other terms."""
        return await self._answers.counter(request)

    async def AcceptCounter(
        self, request: pb.AcceptCounterRequest, _context: Context
    ) -> proposal_pb2.Proposal:
        """Agree to a counter."""
        return await self._answers.accept_counter(request)

    async def DeclineCounter(
        self, request: pb.DeclineCounterRequest, _context: Context
    ) -> proposal_pb2.Proposal:
        """Refuse a counter."""
        return await self._answers.decline_counter(request)

    async def ReportProposal(
        self, request: pb.ReportProposalRequest, _context: Context
    ) -> proposal_pb2.Proposal:
        """Report how it went."""
        return await self._answers.report(request)

    async def ResolveDispute(
        self, request: pb.ResolveDisputeRequest, _context: Context
    ) -> proposal_pb2.Proposal:
        """End a dispute."""
        return await self._answers.resolve(request)

    async def WatchProposals(
        self, request: pb.WatchProposalsRequest, _context: Context
    ) -> AsyncIterator[pb.WatchProposalsResponse]:
        """Follow a party's proposals."""
        async for change in self._watch.follow(request, operator=_is_operator()):
            yield change

    async def GetExplanation(
        self, request: pb.GetExplanationRequest, _context: Context
    ) -> explanation_pb2.Explanation:
        """Read an explanation."""
        return await self._reading.explanation(request, current())

    async def ListExplanations(
        self, request: pb.ListExplanationsRequest, _context: Context
    ) -> pb.ListExplanationsResponse:
        """List explanations of a round."""
        return await self._reading.explanations(request, current())

    async def GetPolicy(self, request: pb.GetPolicyRequest, _context: Context) -> policy_pb2.Policy:
        """Read a policy."""
        found = await self._policies.get(request.name, request.version)
        return found if _is_operator() else redact.policy_for_member(found)

    async def ListPolicies(
        self, request: pb.ListPoliciesRequest, _context: Context
    ) -> pb.ListPoliciesResponse:
        """List policies."""
        found = await self._policies.list(request)
        if not _is_operator():
            for policy in found.policies:
                redact.policy_for_member(policy)
        return found

    async def CreatePolicy(
        self, request: pb.CreatePolicyRequest, _context: Context
    ) -> policy_pb2.Policy:
        """Make a policy."""
        return await self._policies.create(request, current().subject)

    async def UpdatePolicy(
        self, request: pb.UpdatePolicyRequest, _context: Context
    ) -> policy_pb2.Policy:
        """Make a new version of a policy."""
        return await self._policies.update(request, current().subject)

    async def ActivatePolicy(
        self, request: pb.ActivatePolicyRequest, _context: Context
    ) -> policy_pb2.Policy:
        """Make a policy the active one."""
        return await self._policies.activate(request, current().subject)

    async def ListFairnessAccounts(
        self, request: pb.ListFairnessAccountsRequest, _context: Context
    ) -> pb.ListFairnessAccountsResponse:
        """List how organizations have fared."""
        return await self._reading.accounts(request)

    async def ListWaitingDemands(
        self, request: pb.ListWaitingDemandsRequest, _context: Context
    ) -> pb.ListWaitingDemandsResponse:
        """List demands that win nothing, those that wait longest first."""
        return await self._analysis.waiting(request)

    async def GetDeliveries(
        self, request: pb.GetDeliveriesRequest, _context: Context
    ) -> pb.Deliveries:
        """Tell what was delivered."""
        return await self._deliveries.get(request)

    async def GetBook(self, request: pb.GetBookRequest, _context: Context) -> pb.BookSummary:
        """Tell how large the book is."""
        return await self._reading.book(request, current())


def _accepted(result: Result) -> pb.AcceptResult:
    if isinstance(result, DomainError):
        return pb.AcceptResult(
            reason=reason_name(result.reason),
            message=result.message,
            words=causes.message(result.said),
        )
    return pb.AcceptResult(proposal=result)


def _is_operator() -> bool:
    return current().role == "operator"
