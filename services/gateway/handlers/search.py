"""Searching what others offer and want: by own words and filters, with what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from aiohttp import web

from services.chassis.errors import InvalidArgument
from services.gateway.forms import choosing, fields, partners, quantities, regions
from services.gateway.forms.fields import Form
from services.gateway.handlers.home import WEEKS, Outlook, outlook
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import render
from services.gateway.understanding import sentence
from services.gateway.understanding.sentence import Sentence
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import market_data_service_pb2 as api

_SIZE = 20
_AHEAD = 52
_OFFERS, _DEMANDS = "offers", "demands"
_FIELDS = {"least_quantity": "quantity", "standards": "standards", "earliest": "from"}
_CUT = 220


@dataclass(frozen=True, slots=True)
class Found:
    """A posting that was found; ``outlook`` is an offer's next weeks, where they are public."""

    posting: api.FoundPosting
    outlook: Outlook | None


async def show(request: web.Request) -> web.Response:
    """Show what answers a search, newest first where no words say what fits best."""
    person = signed_in(request)
    known = await capabilities(request)
    form = fields.read(request.query)
    side = _DEMANDS if form.text("side") == _DEMANDS else _OFFERS
    words = sentence.read(form.text("q"), date.today())
    asked = _asked(request, form, side, words, known)
    answer = await _search(request, form, asked)
    weeks = quantities.upcoming(date.today(), WEEKS)
    following = {**request.query, "page": answer.next_page_token}
    return await render(
        request,
        "search.html",
        form=form,
        side=side,
        chips=choosing.chips(words, request[LANGUAGE]),
        filtered=any(form.text(name) for name in _FILTERS),
        found=[_found(each, weeks) for each in answer.postings],
        total=answer.total_size,
        next_page=str(request.rel_url.with_query(following)) if answer.next_page_token else "",
        other_side=str(request.rel_url.with_query(_turned(request, side))),
        capabilities=known,
        groups=choosing.capability_choices(known, request[LANGUAGE]),
        places=choosing.region_choices(request[LANGUAGE]),
        weeks=quantities.upcoming(date.today(), _AHEAD // 2),
        unit=known[asked.capability].unit if asked.capability else None,
        may_trade=person.may_trade,
        cut=_CUT,
    )


_FILTERS = ("capability", "region", "from", "to", "quantity", "standards")


def _turned(request: web.Request, side: str) -> Mapping[str, str]:
    kept = {name: value for name, value in request.query.items() if name != "page"}
    return kept | {"side": _OFFERS if side == _DEMANDS else _DEMANDS}


def _asked(
    request: web.Request,
    form: Form,
    side: str,
    words: Sentence,
    known: Mapping[str, Capability],
) -> api.SearchPostingsRequest:
    """Return what is asked for; what cannot be is noted in the form and left out."""
    code, region = form.text("capability"), form.text("region")
    places = {*regions.regions(), *(each.country for each in regions.regions().values())}
    kinds = api.SearchPostingsRequest
    asked = api.SearchPostingsRequest(
        kind=kinds.KIND_DEMANDS if side == _DEMANDS else kinds.KIND_OFFERS,
        text=words.words or ("" if words.span.first or words.span.last else words.text),
        capability=code if code in known else "",
        region=region if region in places else "",
        earliest=_week(form, "from", words.span.first),
        latest=_week(form, "to", words.span.last),
        standards=list(dict.fromkeys(partners.words(form.text("standards"))))[:10],
        page_size=_SIZE,
        page_token=form.text("page"),
    )
    amount = form.decimal("quantity", gettext(request, "Give a number, such as 40."))
    if amount and not asked.capability:
        form.problems["quantity"] = gettext(request, "Choose a capability first: it has the unit.")
    elif amount:
        with partners.whole(form, "quantity", request[LANGUAGE]):
            asked.least_quantity = quantities.ticks(amount, known[asked.capability].unit)
    return asked


def _week(form: Form, name: str, told: date | None) -> str:
    """Return the week that was chosen, or else the one that the words tell."""
    chosen = form.text(name)
    if quantities.exists(chosen):
        return chosen
    return quantities.period(told) if told else ""


async def _search(
    request: web.Request, form: Form, asked: api.SearchPostingsRequest
) -> api.SearchPostingsResponse:
    calls = caller(request)
    empty = api.SearchPostingsResponse()
    if form.problems:
        return empty
    try:
        found: api.SearchPostingsResponse = await calls.call(
            calls.services.market_data.SearchPostings, asked
        )
    except InvalidArgument as error:
        form.take(error, _FIELDS, request[LANGUAGE])
        return empty
    return found


def _found(each: api.FoundPosting, weeks: Sequence[str]) -> Found:
    shown = each.HasField("offer") and any(balance.capacity for balance in each.offer.balances)
    return Found(each, outlook(each.offer, weeks) if shown else None)
