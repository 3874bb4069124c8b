"""`spareline explain`: why something was not matched, in plain words."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from cli.client import connected, round_name
from cli.running import perform
from cli.screen import JsonOption, money, say, table, write_json
from spareline.matching.v1 import matching_service_pb2 as api
from spareline.matching.v1.explanation_pb2 import (
    Alternative,
    Choice,
    Contest,
    Counterfactual,
    Explanation,
    Funnel,
)

_OUTCOMES: Final = {
    "no_capability": "nobody offers, or asks for, this capability",
    "all_ineligible": "counterparts exist, but none fits the conditions",
    "outbid": "others were worth more for the same capacity",
    "not_whole": "only a part could be served, and the whole was wanted",
    "below_minimum_run": "the market did not fill an offer up to its minimum run",
    "bundle_incomplete": "one line could not be served, so the bundle fell",
    "budget": "the budget does not cover it",
    "unused": "nothing was worth matching with it",
    "hold_failed": "the capacity was gone when it was to be held",
    "partly_served": "a part was served",
    "served": "it was served; below is what else there was",
}
_RULES: Final = {
    "capability": "another capability is needed",
    "attributes": "attributes do not satisfy what is asked",
    "standards": "a standard is missing",
    "region": "too far, or in another region",
    "window": "no week in common",
    "price": "price plus transport is above the limit",
    "credit": "the credit grade is too low",
    "exclusion": "excluded by one side",
    "declined": "turned down before, on these terms",
    "size": "the minimum order is above the quantity",
}


_AGAINST: Final = {
    "dearer": "dearer",
    "farther": "farther away",
    "lower_grade": "lower credit grade",
    "taken": "taken by others",
    "minimum_run": "too little came together to open it",
    "setup": "dearer to set up",
}


def explain(
    context: typer.Context,
    posting: Annotated[str, typer.Argument(help="organizations/…/demands/… or …/offers/…")],
    round_: Annotated[
        str, typer.Option("--round", help="The latest that explains it when left out.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Tell why a demand was not served, or an offer not used, and what would change that.

    Of a demand that was served, tell why by these partners and not by the next best.
    """

    async def job() -> int:
        async with connected(context.obj) as client:
            request = api.GetExplanationRequest(
                subject=posting, round=round_name(round_) if round_ else ""
            )
            found = await client.matching.GetExplanation(request)
        if as_json:
            write_json(found)
        else:
            _show(found)
        return 0

    perform(job())


def _show(found: Explanation) -> None:
    say(f"{found.title or found.subject}, in {found.round}:")
    say(f"  {_OUTCOMES.get(found.outcome, found.outcome)}.")
    for funnel in found.funnels:
        where = f", line {funnel.line}" if funnel.line else ""
        heads = ("rule", "why they fall", ">fall here first", ">fall here alone")
        table(f"Counterparts{where}", heads, _steps(funnel))
    if found.contests:
        columns = ("line", "week", ">eligible capacity", ">taken by others", "outbid by")
        table("Contested capacity, in ticks", columns, [_contest(each) for each in found.contests])
    if found.choices:
        heading = ("line", "leg", ">others", "next best", "without it", ">lost, CNY", ">of it own")
        table("Why these partners", heading, [_choice(each) for each in found.choices])
    if found.outcome == "served":
        return
    if found.counterfactuals:
        rows = [_change(each) for each in found.counterfactuals]
        title = "Any one of these changes would have matched it"
        table(title, ("line", "what", "now", "change to"), rows)
    elif not found.unfinished:
        say("No single change that was tried would have matched it.")
    if found.unfinished:
        say("The round had no time to try all changes; there may be others.")


def _steps(funnel: Funnel) -> list[tuple[str, ...]]:
    first = ("", "considered", str(funnel.considered), "")
    fallen = [
        (step.rule, _RULES.get(step.rule, ""), str(step.count), str(step.alone))
        for step in funnel.steps
        if step.count or step.alone
    ]
    about = ("", "weighed of these, about", str(funnel.shortlist), "")
    rest = [about] if funnel.shortlist else []
    return [first, *fallen, ("", "eligible", str(funnel.eligible), ""), *rest]


def _contest(contest: Contest) -> tuple[str, ...]:
    outbid = f"{money(contest.outbid_by)} CNY per tick" if contest.outbid_by else "not by price"
    return (contest.line, contest.period, str(contest.capacity), str(contest.taken), outbid)


def _choice(choice: Choice) -> tuple[str, ...]:
    """A partner, the best of the others, and what the market loses at most without the partner."""
    best = _alternative(choice.next[0]) if choice.next else ""
    others = str(choice.alternatives)
    if not choice.otherwise:
        return (choice.line, str(choice.leg), others, best, "not worked out in time", "", "")
    without = "the next best" if choice.otherwise == "next_best" else "not served"
    lost = (f"≤ {money(choice.market_loss)}", money(choice.own_loss))
    return (choice.line, str(choice.leg), others, best, without, *lost)


def _alternative(found: Alternative) -> str:
    against = [_AGAINST.get(reason, reason) for reason in found.reasons]
    return ", ".join(against) or "as good"


def _change(change: Counterfactual) -> tuple[str, ...]:
    now = str(getattr(change, "from"))  # a word of Python's
    return (change.line, change.field.replace("_", " "), now, change.to)
