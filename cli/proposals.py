"""`spareline proposals`: list, show and answer proposals."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from cli.answering import accept_all, act, decline_reason
from cli.client import connected, round_name
from cli.counter_terms import counter_legs
from cli.proposal_view import row, show_proposal
from cli.running import perform
from cli.screen import JsonOption, table, write_json
from spareline.matching.v1 import matching_service_pb2 as api
from spareline.matching.v1.proposal_pb2 import Proposal

app = typer.Typer(help="Proposals: list, show, answer, report.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="PROPOSAL", help="rounds/…/proposals/…")]
Party = Annotated[
    str, typer.Option(help="The organization that you act for; your own when left out.")
]
Note = Annotated[str, typer.Option(help="A word with it.")]


@app.command("list")
def list_proposals(
    context: typer.Context,
    round_: Annotated[str, typer.Option("--round", help="Only of this round.")] = "-",
    party: Party = "",
    state: Annotated[
        list[str] | None, typer.Option(help="proposed, confirmed, …; may be repeated.")
    ] = None,
    awaiting: Annotated[
        bool, typer.Option("--awaiting", help="Only those that wait for your answer or report.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most proposals.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List proposals, newest first."""

    async def job() -> int:
        async with connected(context.obj) as client:
            request = api.ListProposalsRequest(
                parent=round_name(round_),
                party=await client.party(party),
                states=[f"STATE_{each.upper().removeprefix('STATE_')}" for each in state or ()],
                awaiting_answer=awaiting,
            )
            found: list[Proposal] = []
            while len(found) < limit:
                request.page_size = min(1000, limit - len(found))
                page = await client.matching.ListProposals(request)
                found += page.proposals
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
        if as_json:
            for each in found:
                write_json(each)
        else:
            columns = ("proposal", "state", "title", ">legs", ">price", "until", "answers")
            table("Proposals", columns, [row(each) for each in found])
        return 0

    perform(job())


@app.command()
def show(
    context: typer.Context, name: Name, party: Party = "", as_json: JsonOption = False
) -> None:
    """Show a proposal: who delivers what, when, at what price, and what has happened to it."""

    async def job() -> int:
        async with connected(context.obj) as client:
            request = api.GetProposalRequest(name=name, party=await client.party(party))
            found = await client.matching.GetProposal(request)
        if as_json:
            write_json(found)
        else:
            show_proposal(found)
        return 0

    perform(job())


@app.command()
def accept(
    context: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="PROPOSAL…", help="rounds/…/proposals/…, one or several")
    ],
    party: Party = "",
    terms_version: Annotated[int, typer.Option(min=0, help="Only if the terms are these.")] = 0,
    counter: Annotated[
        bool, typer.Option("--counter", help="Accept the other side's counter.")
    ] = False,
) -> None:
    """Accept proposals, or the counter to one. With several, each stands alone."""
    if counter:
        if len(names) > 1:
            raise typer.BadParameter("counters are accepted one by one: name one proposal")
        call = api.AcceptCounterRequest(name=names[0], request_id=_fresh())
        perform(act(context.obj, party, "AcceptCounter", call))
    else:
        perform(accept_all(context.obj, party, names, terms_version))


@app.command()
def decline(
    context: typer.Context,
    name: Name,
    party: Party = "",
    reason: Annotated[
        str,
        typer.Option(help="price, timing, quantity, partner, no_longer_needed or other."),
    ] = "other",
    note: Note = "",
    counter: Annotated[
        bool, typer.Option("--counter", help="Decline the other side's counter.")
    ] = False,
) -> None:
    """Decline a proposal, or the counter to it."""
    if counter:
        call = api.DeclineCounterRequest(name=name, note=note, request_id=_fresh())
        perform(act(context.obj, party, "DeclineCounter", call))
    else:
        request = api.DeclineProposalRequest(
            name=name, reason=decline_reason(reason), note=note, request_id=_fresh()
        )
        perform(act(context.obj, party, "DeclineProposal", request))


@app.command()
def counter(
    context: typer.Context,
    name: Name,
    terms: Annotated[
        list[str],
        typer.Option(
            "--leg",
            help="LEG:price=FEN and/or LEG:2026-W48=TICKS, divided by commas; LEG counts from 0.",
        ),
    ],
    party: Party = "",
    note: Note = "",
) -> None:
    """Ask for another price (fen per tick) or other quantities (ticks) of some legs."""
    request = api.CounterProposalRequest(
        name=name, legs=counter_legs(terms), note=note, request_id=_fresh()
    )
    perform(act(context.obj, party, "CounterProposal", request))


@app.command()
def report(
    context: typer.Context,
    name: Name,
    outcome: Annotated[str, typer.Argument(metavar="fulfilled|late|failed", help="How it went.")],
    party: Party = "",
    note: Note = "",
    rating: Annotated[int, typer.Option(min=0, max=5, help="How content, 1 to 5.")] = 0,
) -> None:
    """Report how a confirmed proposal went."""
    if outcome not in ("fulfilled", "late", "failed"):
        raise typer.BadParameter("write fulfilled, late or failed")
    request = api.ReportProposalRequest(
        name=name,
        fulfilled=outcome != "failed",
        late=outcome == "late",
        rating=rating,
        note=note,
        request_id=_fresh(),
    )
    perform(act(context.obj, party, "ReportProposal", request))


def _fresh() -> str:
    return str(uuid.uuid4())
