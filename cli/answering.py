"""Acting on a proposal for a party."""

from __future__ import annotations

from typing import Any

import typer

from cli.client import Settings, connected
from cli.running import WrongUsage
from cli.screen import say, state
from spareline.matching.v1 import proposal_pb2
from spareline.matching.v1.proposal_pb2 import Proposal


async def act(settings: Settings, party: str, method: str, request: Any) -> int:
    """Call a method of MatchingService for a party and say where the proposal stands then.

    Raises:
        WrongUsage: an operator is no party.
    """
    async with connected(settings) as client:
        request.party = await client.party(party)
        if not request.party:
            raise WrongUsage("An operator is no party: only a party, or its platform, may answer.")
        found: Proposal = await getattr(client.matching, method)(request)
    say(f"{found.name} is {state(Proposal.State.Name(found.state))}.")
    return 0


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
