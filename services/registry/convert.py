"""Between documents and contracts: postings with their ledger part, claims, and capabilities.

A posting's document keeps the posted content as ``body`` (without anything that the registry
itself adds), the fields by which it is found, and the claims on it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from services.chassis import causes
from services.chassis.aggregates import Document, etag
from services.chassis.causes import Said
from services.registry.domain import demands, disclosure, offers
from services.registry.domain.disclosure import M
from services.registry.domain.instants import timestamp
from services.registry.domain.ledger import Account, Claim, ClaimState, Leg, Side, Terms
from spareline.market.v1.demand_pb2 import Demand, LineBalance
from spareline.market.v1.offer_pb2 import Offer, PeriodBalance
from spareline.registry.v1 import ledger_service_pb2, registry_service_pb2

_STATES = {
    ClaimState.HELD: ledger_service_pb2.Claim.STATE_HELD,
    ClaimState.COMMITTED: ledger_service_pb2.Claim.STATE_COMMITTED,
}


def field_problem(field: str, said: Said) -> registry_service_pb2.FieldProblem:
    """Return what is wrong with a field where it is no refusal of the call."""
    return registry_service_pb2.FieldProblem(
        field=field, description=said.what, mend=said.mend, words=causes.message(said)
    )


def body(posting: M) -> bytes:
    """Return the posted content of a posting: equal bytes mean equal content."""
    content = type(posting)()
    content.CopyFrom(posting)
    disclosure.clear(content, offers.OUTPUT_ONLY)  # the same fields in both
    return content.SerializeToString(deterministic=True)


def offer(document: Document, account: Account | None = None) -> Offer:
    """Return an offer, unredacted, with its balances."""
    message = Offer()
    message.ParseFromString(document["body"])
    message.state = Offer.State.Value(document["state"])
    balances = (account or offer_account(document, message)).balances()
    message.balances.extend(
        PeriodBalance(period=cell, capacity=each.limit, held=each.held, committed=each.committed)
        for cell, each in balances.items()
    )
    _stamp(message, document)
    return message


def demand(document: Document, account: Account | None = None) -> Demand:
    """Return a demand, unredacted, with its balances."""
    message = Demand()
    message.ParseFromString(document["body"])
    message.state = Demand.State.Value(document["state"])
    balances = (account or demand_account(document, message)).balances()
    message.balances.extend(
        LineBalance(line=cell, quantity=each.limit, held=each.held, committed=each.committed)
        for cell, each in balances.items()
    )
    _stamp(message, document)
    return message


def _stamp(message: Offer | Demand, document: Document) -> None:
    message.create_time.CopyFrom(timestamp(document["create_ms"]))
    message.update_time.CopyFrom(timestamp(document["update_ms"]))
    message.generation = document["revision"]
    message.etag = etag(document)


def offer_account(document: Document, content: Offer | None = None) -> Account:
    """Return the ledger part of an offer's document."""
    if content is None:
        content = Offer()
        content.ParseFromString(document["body"])
    return _account(document, "offer", offers.limits(content), document["state"] == "STATE_OPEN")


def demand_account(document: Document, content: Demand | None = None) -> Account:
    """Return the ledger part of a demand's document."""
    if content is None:
        content = Demand()
        content.ParseFromString(document["body"])
    accepting = document["state"] in ("STATE_OPEN", "STATE_MATCHED")
    return _account(document, "demand", demands.limits(content), accepting)


def _account(document: Document, side: Side, limits: Mapping[str, int], accepting: bool) -> Account:
    claims = [claim(stored) for stored in document["claims"].values()]
    return Account(
        document["_id"], side, limits, {each.claim: each for each in claims}, accepting=accepting
    )


def claim_key(name: str) -> str:
    """Return the key under which a claim is stored: names may hold dots, keys may not."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def claim(stored: Mapping[str, Any]) -> Claim:
    """Return a claim from its stored form."""
    previous = stored.get("previous")
    return Claim(
        claim=stored["claim"],
        demand=stored["demand"],
        terms=_terms(stored),
        expire_ms=stored["expire_ms"],
        state=ClaimState(stored["state"]),
        previous=None if previous is None else _terms(previous),
    )


def stored_claim(each: Claim) -> Document:
    """Return the form in which a claim is stored."""
    stored: Document = {
        "claim": each.claim,
        "demand": each.demand,
        "state": each.state.value,
        "expire_ms": each.expire_ms,
        **_stored_terms(each.terms),
    }
    if each.previous is not None:
        stored["previous"] = _stored_terms(each.previous)
    return stored


def _terms(stored: Mapping[str, Any]) -> Terms:
    return Terms(stored["version"], tuple(Leg(*leg) for leg in stored["legs"]))


def _stored_terms(terms: Terms) -> Document:
    legs = [[leg.offer, leg.line, leg.period, leg.quantity] for leg in terms.legs]
    return {"version": terms.version, "legs": legs}


def claim_message(each: Claim) -> ledger_service_pb2.Claim:
    """Return a claim as the ledger's contract writes it."""
    message = ledger_service_pb2.Claim(
        claim=each.claim,
        demand=each.demand,
        version=each.terms.version,
        state=_STATES[each.state],
        legs=[
            ledger_service_pb2.ClaimLeg(
                offer=leg.offer, line=leg.line, period=leg.period, quantity=leg.quantity
            )
            for leg in each.terms.legs
        ],
    )
    if each.expire_ms:
        message.expire_time.CopyFrom(timestamp(each.expire_ms))
    return message
