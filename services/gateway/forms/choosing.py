"""Choosing a capability: by one's own words, or from the tree."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from services.gateway.clients import Caller
from services.gateway.formats import text
from services.gateway.forms import regions
from services.gateway.languages import LANGUAGE
from services.gateway.market import capabilities
from services.gateway.people import SERVICES
from services.gateway.render import render
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import registry_service_pb2 as registry

Choices = list[tuple[str, list[tuple[str, str]]]]


def capability_choices(known: Mapping[str, Capability], language: str) -> Choices:
    """Return the capabilities by branch, as the groups of a select."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for code, capability in sorted(known.items()):
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


async def page(request: web.Request, target: str, question: str) -> web.Response:
    """Show the page that leads to `target?capability=…`."""
    query = request.query.get("q", "").strip()
    known = await capabilities(request)
    found: list[Capability] = []
    if query:
        calls = Caller(request.app[SERVICES], "")
        answer = await calls.call(
            calls.services.registry.SearchCapabilities,
            registry.SearchCapabilitiesRequest(query=query[:200], limit=8),
        )
        found = list(answer.capabilities)
    return await render(
        request,
        "choose.html",
        target=target,
        question=question,
        query=query,
        found=found,
        known=known,
        groups=capability_choices(known, request[LANGUAGE]),
    )
