"""Every address of the gateway, in one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from services.gateway.api import calls
from services.gateway.handlers import (
    account,
    agreements,
    api,
    api_keys,
    audit,
    calendar,
    counters,
    credit,
    dead_letters,
    delegations,
    demands,
    drafts,
    explanations,
    fairness,
    files,
    health,
    home,
    imports,
    live,
    mail,
    many,
    market_policies,
    market_view,
    members,
    new_policy,
    offers,
    organization,
    policies,
    proposals,
    rounds,
    search,
    taxonomy,
    utilisation,
    wanted,
    webhooks,
    what_if,
)
from services.gateway.render import WEB

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# Who may open a page; whether they may read or change what it shows is the services' to say.
Audience = Literal["anyone", "signed-in", "trader", "operator"]


@dataclass(frozen=True, slots=True)
class Route:
    """An address, what answers it, and for whom it is."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    audience: Audience
    name: str = ""


API = "/api/v1/"
PRIVATE = "/calendar/"
"""Addresses below it are secrets themselves, so nothing may write them down."""

ROUTES = (
    Route("GET", "/health/live", health.live, "anyone"),
    Route("GET", "/health/ready", health.ready, "anyone"),
    Route("GET", "/api", api.show, "anyone", "api"),
    Route("GET", "/api/openapi.json", api.document, "anyone"),
    Route("GET", "/", home.home, "anyone", "home"),
    Route("POST", "/language", account.switch_language, "anyone"),
    Route("GET", "/sign-up", account.sign_up_form, "anyone", "signup"),
    Route("POST", "/sign-up", account.sign_up, "anyone"),
    Route("GET", "/sign-in", account.sign_in_form, "anyone", "signin"),
    Route("POST", "/sign-in", account.sign_in, "anyone"),
    Route("POST", "/sign-out", account.sign_out, "anyone"),
    Route("GET", "/live", live.inbox, "signed-in"),
    Route("GET", "/organization", organization.show, "signed-in", "organization"),
    Route("POST", "/organization", organization.save, "trader"),
    Route("GET", "/organization/members", members.listing, "signed-in", "members"),
    Route("POST", "/organization/members", members.invite, "trader"),
    Route("POST", "/organization/members/{member}", members.change_role, "trader"),
    Route("POST", "/organization/members/{member}/remove", members.remove, "trader"),
    Route("GET", "/organization/keys", api_keys.listing, "signed-in", "keys"),
    Route("POST", "/organization/keys", api_keys.create, "trader"),
    Route("POST", "/organization/keys/{key}/end", api_keys.end, "trader"),
    Route("GET", "/organization/platforms", delegations.listing, "signed-in", "platforms"),
    Route("POST", "/organization/platforms", delegations.agree, "trader"),
    Route("POST", "/organization/platforms/{delegation}/end", delegations.end, "trader"),
    Route("GET", "/organization/credit", credit.show, "signed-in", "credit"),
    Route("POST", "/organization/credit/{event}/contest", credit.contest, "trader"),
    Route("GET", "/operator", rounds.first, "operator"),
    Route("GET", "/operator/credit", credit.contested, "operator"),
    Route("POST", "/operator/credit/{organization}/{event}", credit.decide, "operator"),
    Route("GET", "/organization/audit", audit.own, "signed-in", "audit"),
    Route("GET", "/organization/audit.csv", audit.own_csv, "signed-in"),
    Route("GET", "/operator/audit", audit.everything, "operator"),
    Route("GET", "/operator/audit.csv", audit.everything_csv, "operator"),
    Route("GET", "/operator/taxonomy", taxonomy.show, "operator", "taxonomy"),
    Route("GET", "/operator/taxonomy/edit", taxonomy.edit, "operator"),
    Route("POST", "/operator/taxonomy/edit", taxonomy.save, "operator"),
    Route("POST", "/operator/taxonomy/drop", taxonomy.drop, "operator"),
    Route("POST", "/operator/taxonomy/adopt", taxonomy.adopt, "operator"),
    Route("GET", "/account/password", members.password_form, "signed-in"),
    Route("POST", "/account/password", members.change_password, "signed-in"),
    Route("GET", "/account/mail", mail.show, "signed-in"),
    Route("POST", "/account/mail", mail.save, "signed-in"),
    Route("GET", "/account/calendar", calendar.show, "signed-in"),
    Route("POST", "/account/calendar", calendar.rotate, "signed-in"),
    Route("POST", "/account/calendar/delete", calendar.delete, "signed-in"),
    Route("GET", "/calendar/{secret}.ics", calendar.feed, "anyone"),
    Route("GET", "/organization/webhooks", webhooks.listing, "signed-in", "webhooks"),
    Route("POST", "/organization/webhooks", webhooks.create, "trader"),
    Route("GET", "/organization/webhooks/{webhook}", webhooks.show, "signed-in"),
    Route("POST", "/organization/webhooks/{webhook}/pause", webhooks.pause, "trader"),
    Route("POST", "/organization/webhooks/{webhook}/rotate", webhooks.rotate, "trader"),
    Route("POST", "/organization/webhooks/{webhook}/delete", webhooks.delete, "trader"),
    Route(
        "POST",
        "/organization/webhooks/{webhook}/deliveries/{event}/replay",
        webhooks.replay,
        "trader",
    ),
    Route("GET", "/offers", offers.listing, "signed-in", "offers"),
    Route("GET", "/offers/new", offers.new, "trader"),
    Route("POST", "/offers/new", offers.create, "trader"),
    Route("GET", "/offers/{offer}", offers.show, "signed-in", "offer"),
    Route("GET", "/offers/{offer}/edit", offers.edit, "trader"),
    Route("POST", "/offers/{offer}/edit", offers.update, "trader"),
    Route("POST", "/offers/{offer}/withdraw", offers.withdraw, "trader"),
    Route("GET", "/drafts/{draft}", drafts.show, "trader"),
    Route("POST", "/drafts/{draft}/drop", drafts.drop, "trader"),
    Route("GET", "/market", market_view.show, "signed-in", "market"),
    Route("GET", "/market/utilisation", utilisation.show, "signed-in", "utilisation"),
    Route("GET", "/market/utilisation.csv", utilisation.export, "signed-in"),
    Route("GET", "/operator/utilisation", utilisation.show_market, "operator"),
    Route("GET", "/operator/utilisation.csv", utilisation.export_market, "operator"),
    Route("GET", "/market/search", search.show, "signed-in", "search"),
    Route("GET", "/files", files.show, "signed-in", "files"),
    Route("POST", "/files", files.upload, "trader"),
    Route("GET", "/files/template", files.template, "signed-in"),
    Route("GET", "/files/export", files.export, "signed-in"),
    Route("GET", "/files/{import}", imports.one, "trader"),
    Route("GET", "/files/{import}/live", imports.follow, "trader"),
    Route("GET", "/files/{import}/marked.{format:csv|xlsx}", imports.marked, "trader"),
    Route("POST", "/files/{import}/confirm", imports.confirm, "trader"),
    Route("POST", "/files/{import}/delete", imports.delete, "trader"),
    Route("GET", "/wanted", wanted.listing, "signed-in", "wanted"),
    Route("GET", "/demands", demands.listing, "signed-in", "demands"),
    Route("GET", "/demands/new", demands.new, "trader"),
    Route("POST", "/demands/new", demands.create, "trader"),
    Route("GET", "/demands/{demand}", demands.show, "signed-in", "demand"),
    Route("GET", "/demands/{demand}/edit", demands.edit, "trader"),
    Route("POST", "/demands/{demand}/edit", demands.update, "trader"),
    Route("POST", "/demands/{demand}/withdraw", demands.withdraw, "trader"),
    Route("GET", "/why/{kind:offers|demands}/{posting}", explanations.show, "signed-in", "why"),
    Route("GET", "/why/{kind:offers|demands}/{posting}/change", explanations.propose, "trader"),
    Route("POST", "/why/{kind:offers|demands}/{posting}/change", explanations.make, "trader"),
    Route("GET", "/proposals", proposals.listing, "signed-in", "proposals"),
    Route("POST", "/proposals/answer", many.answer, "trader"),
    Route("GET", "/proposals/{round}/{proposal}", proposals.show, "signed-in", "proposal"),
    Route("GET", "/proposals/{round}/{proposal}/agreement", agreements.show, "signed-in"),
    Route("GET", "/proposals/{round}/{proposal}/agreement.pdf", agreements.pdf, "signed-in"),
    Route("GET", "/proposals/{round}/{proposal}/calendar.ics", agreements.calendar, "signed-in"),
    Route("POST", "/proposals/{round}/{proposal}/accept", proposals.accept, "trader"),
    Route("POST", "/proposals/{round}/{proposal}/decline", proposals.decline, "trader"),
    Route("POST", "/proposals/{round}/{proposal}/counter", counters.counter, "trader"),
    Route(
        "POST", "/proposals/{round}/{proposal}/accept-counter", counters.accept_counter, "trader"
    ),
    Route(
        "POST", "/proposals/{round}/{proposal}/decline-counter", counters.decline_counter, "trader"
    ),
    Route("POST", "/proposals/{round}/{proposal}/report", proposals.report, "trader"),
    Route("GET", "/rounds", rounds.listing, "signed-in", "rounds"),
    Route("POST", "/rounds", rounds.run, "operator"),
    Route("GET", "/rounds/{round}", rounds.show, "signed-in", "round"),
    Route("GET", "/rounds/{round}/live", live.round_progress, "signed-in"),
    Route("POST", "/rounds/{round}/cancel", rounds.cancel, "operator"),
    Route("GET", "/operator/policies", market_policies.listing, "operator"),
    Route("GET", "/operator/new-policy", new_policy.show, "operator"),
    Route("POST", "/operator/new-policy", new_policy.create, "operator"),
    Route("GET", "/operator/policies/{policy}", market_policies.show, "operator"),
    Route("GET", "/operator/policies/{policy}/edit", market_policies.edit, "operator"),
    Route("POST", "/operator/policies/{policy}/edit", market_policies.save, "operator"),
    Route("POST", "/operator/policies/{policy}/adopt", market_policies.adopt, "operator"),
    Route("GET", "/operator/what-if/{round}", what_if.show, "operator"),
    Route("POST", "/operator/what-if/{round}/adopt", what_if.adopt, "operator"),
    Route("GET", "/operator/fairness", fairness.show, "operator"),
    Route("GET", "/operator/dead-letters", dead_letters.listing, "operator"),
    Route("POST", "/operator/dead-letters/{letter}/replay", dead_letters.replay, "operator"),
    Route("POST", "/operator/dead-letters/{letter}/drop", dead_letters.drop, "operator"),
    Route("GET", "/policy", policies.show, "signed-in", "policy"),
)


def add(app: web.Application) -> None:
    """Add every route, and the static files, to the application."""
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler, name=route.name or None)
    # One handler for all: which RPC is meant, and who may call it, stands in the contracts.
    # Any character, line ends too: what is below the API is answered by the API.
    app.router.add_route("*", API + r"{path:[\s\S]*}", calls.serve)
    app.router.add_static("/static", WEB / "static", append_version=False)
