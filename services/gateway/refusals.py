"""Why an answer to a proposal was refused, in the reader's language."""

from __future__ import annotations

from aiohttp import web

from services.gateway.languages import LANGUAGE, translations
from spareline.errors.v1 import reason_pb2


def words(request: web.Request, reason: int, message: str) -> str:
    """Return a sentence for a reason that an answer may be refused for; else the message."""
    _ = translations(request[LANGUAGE]).gettext
    known = {
        reason_pb2.REASON_LEASE_EXPIRED: _("The time to answer has run out."),
        reason_pb2.REASON_TERMS_CHANGED: _("The terms were changed meanwhile; read them again."),
        reason_pb2.REASON_ALREADY_ANSWERED: _("Your firm has answered already, and differently."),
        reason_pb2.REASON_PROPOSAL_STATE: _("It is no longer open to this answer."),
        reason_pb2.REASON_NOT_FOUND: _("There is no such proposal."),
        reason_pb2.REASON_CAPACITY_EXCEEDED: _("The terms asked for are more than is still free."),
        reason_pb2.REASON_DEMAND_EXCEEDED: _("The terms asked for are more than is still needed."),
        reason_pb2.REASON_CONFLICT: _("Somebody was faster. Try again."),
    }
    return known.get(reason, message)  # type: ignore[call-overload, no-any-return]
