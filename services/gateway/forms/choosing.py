"""Choosing a capability: by one's own words, or from the tree."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from aiohttp import web

from services.gateway import formats
from services.gateway.clients import Caller
from services.gateway.formats import text
from services.gateway.forms import drafts, fields, lines, regions
from services.gateway.languages import LANGUAGE, gettext, translations
from services.gateway.market import capabilities
from services.gateway.people import SERVICES, caller, signed_in
from services.gateway.render import notify, render
from services.gateway.understanding import prefill, sentence
from services.gateway.understanding.sentence import Sentence
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.draft_pb2 import Draft
from spareline.registry.v1 import registry_service_pb2 as registry

Choices = list[tuple[str, list[tuple[str, str]]]]


def capability_choices(
    known: Mapping[str, Capability], language: str, keep: Collection[str] = ()
) -> Choices:
    """Return the capabilities by branch, as the groups of a select.

    Deprecated ones only where they are in use already: ``keep`` names those.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for code, capability in sorted(known.items()):
        if capability.deprecated and code not in keep:
            continue
        branch, depth = code.split(".")[0], code.count(".")
        if depth:
            label = "\u2003" * (depth - 1) + text(capability.display_name, language)
            groups.setdefault(branch, []).append((code, label))
    return [
        (text(known[branch].display_name, language) if branch in known else branch, pairs)
        for branch, pairs in groups.items()
    ]


def region_choices(language: str) -> Choices:
    """Return countries and regions as the groups of a select of several."""
    return [
        (country, [(pairs[0][0].split("-")[0], country), *pairs])
        for country, pairs in regions.choices(language)
    ]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sides of the market: where it is posted."""

    noun: str
    target: str
    kind: Draft.Kind.ValueType


OFFERS = Side("offer", "/offers/new", Draft.KIND_OFFER)
DEMANDS = Side("demand", "/demands/new", Draft.KIND_DEMAND)


def said(request: web.Request) -> Sentence:
    """Return what was written in own words, taken apart."""
    return sentence.read(request.query.get("q", ""), date.today())


def understood(
    request: web.Request, capability: Capability, prefix: str | None = None
) -> dict[str, object]:
    """Return the fields that the reader's own words fill: of an offer, or of a demand's line."""
    words = said(request)
    if not words.text:
        return {}
    if prefix is None:
        filled = prefill.offer(words, capability, date.today())
    else:
        filled = prefill.demand(words, capability, prefix, date.today())
    return filled | {"q": request.query["q"].strip()[: sentence.LONGEST]}


async def find(
    request: web.Request, words: Sentence, limit: int
) -> registry.SearchCapabilitiesResponse:
    """Return the capabilities that fit somebody's own words best, and which of them are guessed."""
    wanted = words.words or words.text
    if not wanted:
        return registry.SearchCapabilitiesResponse()
    calls = Caller(request.app[SERVICES], "")
    answer: registry.SearchCapabilitiesResponse = await calls.call(
        calls.services.registry.SearchCapabilities,
        registry.SearchCapabilitiesRequest(query=wanted[:200], limit=limit),
    )
    return answer


async def name_lines(request: web.Request, form: fields.Form) -> None:
    """Fill the lines of a demand that so far have only words in place of a capability."""
    known = await capabilities(request)
    for index in range(lines.count(form)):
        prefix = f"l{index}_"
        words = sentence.read(form.text(f"{prefix}words"), date.today())
        if not words.text or form.text(f"{prefix}capability") in known:
            continue
        answer = await find(request, words, _GUESSES)
        found = answer.capabilities
        if not found or found[0].code in answer.by_meaning:
            form.problems[f"{prefix}words"] = _unnamed(request, found)
            continue
        form.values[f"{prefix}capability"] = found[0].code
        form.values |= prefill.demand(words, found[0], prefix, date.today())


def _unnamed(request: web.Request, guessed: Sequence[Capability]) -> str:
    """Return what to do about words that name no capability: a guess is for a person to take."""
    if not guessed:
        return gettext(
            request, "Nothing was found for these words. Try others, or choose from the list."
        )
    language = request[LANGUAGE]
    comma = "、" if language == "zh" else ", "
    names = comma.join(text(each.display_name, language) for each in guessed)
    return gettext(
        request, "Nothing is called that. Close in meaning: %(names)s. Choose from the list."
    ) % {"names": names}


def chips(words: Sentence, language: str) -> list[str]:
    """Return in short what was understood beside the capability, for the reader to check."""
    _ = translations(language).gettext
    found = []
    if words.amount is not None:
        number = formats.decimal(words.amount.number, language)
        shown = {
            "": _("%(number)s in all"),
            "day": _("%(number)s a day"),
            "week": _("%(number)s a week"),
            "month": _("%(number)s a month"),
        }
        found.append(shown[words.amount.rate] % {"number": number})
    if words.span.first:
        found.append(_("from %(day)s") % {"day": formats.day(words.span.first, language)})
    if words.span.last:
        found.append(_("until %(day)s") % {"day": formats.day(words.span.last, language)})
    if words.price is not None:
        found.append(formats.money(int(words.price.number * formats.MINOR), language))
    return found


async def _earlier(request: web.Request, side: Side) -> Sequence[Any]:
    """Return the latest postings of the firm, to start from one of them."""
    calls, parent = caller(request), signed_in(request).organization
    if side is OFFERS:
        page = await calls.call(
            calls.services.registry.ListOffers,
            registry.ListOffersRequest(parent=parent, page_size=_EARLIER),
        )
        return list(page.offers)
    page = await calls.call(
        calls.services.registry.ListDemands,
        registry.ListDemandsRequest(parent=parent, page_size=_EARLIER),
    )
    return list(page.demands)


async def keep(
    request: web.Request, kind: Draft.Kind.ValueType, form: fields.Form
) -> web.StreamResponse:
    """Keep a form as a draft: for a script without a page, for a person with the way back to it."""
    await drafts.save(request, kind, form)
    if "application/json" in request.headers.get("Accept", ""):
        return web.Response(status=204)
    await notify(request, "Kept as a draft. It waits for you here, on every device.")
    raise web.HTTPSeeOther(f"/drafts/{form.text(drafts.FIELD)}")


_EARLIER = 5
_GUESSES = 3


async def page(request: web.Request, side: Side) -> web.Response:
    """Show the page that leads to the form of what somebody says in own words."""
    words = said(request)
    known = await capabilities(request)
    found, earlier, begun = await asyncio.gather(
        find(request, words, 6), _earlier(request, side), drafts.listing(request, side.kind)
    )
    return await render(
        request,
        "choose.html",
        side=side,
        words=words,
        query=request.query.get("q", "").strip()[: sentence.LONGEST],
        chips=chips(words, request[LANGUAGE]),
        found=found.capabilities,
        guessed=set(found.by_meaning),
        earlier=earlier,
        drafts=begun[:_EARLIER],
        known=known,
        groups=capability_choices(known, request[LANGUAGE]),
    )
