"""Acting on a proposal for a party."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

import typer

from cli.client import Client, Settings, connected
from cli.running import REFUSED, WrongUsage
from cli.screen import complain, say, state
from spareline.matching.v1 import matching_service_pb2 as api
from spareline.matching.v1 import proposal_pb2
from spareline.matching.v1.proposal_pb2 import Proposal

_AT_ONCE: Final = 200


async def act(settings: Settings, party: str, method: str, request: Any) -> int:
    """Call a method of MatchingService for a party and say where the proposal stands then.

    Raises:
        WrongUsage: an operator is no party.
    """
    async with connected(settings) as client:
        request.party = await _party(client, party)
        found: Proposal = await getattr(client.matching, method)(request)
    _say_state(found)
    return 0


async def accept_all(
    settings: Settings, party: str, names: Sequence[str], terms_version: int
) -> int:
    """Accept proposals for a party, and say of each where it stands then, or why it was refused.

    Raises:
        WrongUsage: an operator is no party.
    """
    refused = 0
    async with connected(settings) as client:
        organization = await _party(client, party)
        for start in range(0, len(names), _AT_ONCE):
            request = api.BatchAcceptProposalsRequest()
            for name in names[start : start + _AT_ONCE]:
                request.requests.add(
                    name=name,
                    party=organization,
                    terms_version=terms_version,
                    request_id=str(uuid.uuid4()),
                )
            answer = await client.matching.BatchAcceptProposals(request)
            for asked, result in zip(request.requests, answer.results, strict=True):
                if result.reason:
                    refused += 1
                    complain(f"{asked.name}: {result.message}.")
                else:
                    _say_state(result.proposal)
    return REFUSED if refused else 0


async def _party(client: Client, chosen: str) -> str:
    party = await client.party(chosen)
    if not party:
        raise WrongUsage("An operator is no party: only a party, or its platform, may answer.")
    return party


def _say_state(proposal: Proposal) -> None:
    say(f"{proposal.name} is {state(Proposal.State.Name(proposal.state))}.")


def decline_reason(word: str) -> proposal_pb2.DeclineReason.ValueType:
    """The reason that a word stands for.

    Raises:
        typer.BadParameter: it stands for none.
    """
    name = f"DECLINE_REASON_{word.upper().replace('-', '_')}"
    if name not in proposal_pb2.DeclineReason.keys():  # noqa: SIM118 - an enum, no mapping
        raise typer.BadParameter(
            "write price, timing, quantity, partner, no_longer_needed or other"
        )
    return proposal_pb2.DeclineReason.Value(name)
