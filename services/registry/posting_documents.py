"""The document of a posting: its content, and the fields by which it is found."""

from collections.abc import Iterable, Sequence

from services.chassis import names
from services.chassis.aggregates import Document
from services.registry import convert
from services.registry.domain import disclosure, periods, search_words
from services.registry.domain.disclosure import M
from services.registry.domain.ledger import Account, Claim
from services.registry.domain.organizations import UNDISCLOSED_ID
from services.registry.store.postings import next_due
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization

NEVER_PERIOD = 2**31
"""The value of ``open_until`` when nothing is left to expire."""

UNDISCLOSED = f"organizations/{UNDISCLOSED_ID}"
"""Stands for the organization in the name of a posting whose identity is hidden."""


def new(posting: M, organization: Organization, number: int, now_ms: int) -> Document:
    """Return the document of a posting that was just made; its name is set."""
    return {
        "_id": posting.name,
        "organization": organization.name,
        "posted": number,
        "places": places(organization.region),
        "alias": f"{number}-{names.new_id()[:16]}",
        "state": "STATE_OPEN",
        "create_ms": now_ms,
        "claims": {},
        "claimed": False,
        "due_ms": next_due({}),
        **changed(posting, "STATE_OPEN", now_ms),
    }


def changed(posting: M, state: str, now_ms: int) -> Document:
    """Return the fields that follow from the content of a posting."""
    first, last = span(posting)
    return {
        "body": convert.body(posting),
        "update_ms": now_ms,
        "keys": _keys(posting),
        "public": disclosure.public_groups(posting.disclosure),
        "first_period": first,
        "last_period": last,
        "open_until": open_until(state, last),
    }


def moved(account: Account, state: str, last_period: int) -> tuple[Document, list[str]]:
    """Return the fields that follow from the claims of an account, to set and to unset."""
    fields: Document = {
        "state": state,
        "open_until": open_until(state, last_period),
        "claimed": bool(account.claims),
        "due_ms": _due(account.claims.values()),
    }
    gone: list[str] = []
    for name in account.changed:
        path = f"claims.{convert.claim_key(name)}"
        if name in account.claims:
            fields[path] = convert.stored_claim(account.claims[name])
        else:
            gone.append(path)
    return fields, gone


def stored_claims(account: Account) -> Document:
    """Return all claims of an account in the form in which a document keeps them."""
    return {convert.claim_key(name): convert.stored_claim(c) for name, c in account.claims.items()}


def open_until(state: str, last_period: int) -> int:
    """Return the ordinal of the period after which a posting in that state has to expire."""
    return last_period if state in ("STATE_OPEN", "STATE_MATCHED") else NEVER_PERIOD


def alias_name(document: Document, noun: str) -> str:
    """Return the name under which a posting is shown to those who may not know whose it is."""
    return f"{UNDISCLOSED}/{noun}s/{document['alias']}"


def places(region: str) -> list[str]:
    """Return the codes by which a region is found: its country, and itself."""
    return list(dict.fromkeys([region.partition("-")[0], region])) if region else []


def span(posting: Offer | Demand) -> tuple[int, int]:
    """Return the first and the last period that a posting speaks of, as ordinals."""
    if isinstance(posting, Offer):
        used = [each.period for each in posting.capacity if each.quantity]
        found = [periods.ordinal(week) for week in used]
        return min(found), max(found)
    return (
        min(periods.ordinal(line.window.earliest) for line in posting.lines),
        max(periods.ordinal(line.window.latest) for line in posting.lines),
    )


def _due(claims: Iterable[Claim]) -> int:
    return next_due({each.claim: {"expire_ms": each.expire_ms} for each in claims})


def _keys(posting: Offer | Demand) -> list[str]:
    codes: Sequence[str]
    if isinstance(posting, Offer):
        codes = [posting.capability]
    else:
        codes = [line.capability for line in posting.lines]
    found: dict[str, None] = {}
    for code in codes:
        steps = code.split(".")
        found.update((f"c:{'.'.join(steps[: i + 1])}", None) for i in range(len(steps)))
        found[f"l:{code}"] = None
    found.update((f"w:{word}", None) for word in search_words.words(posting.title))
    return list(found)
