"""What changes, things, fields and outcomes are called on the audit's pages.

What has no words here shows its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


def _(text: str) -> str:
    """Mark a message for the catalogue; it is translated when it is shown."""
    return text


CHANGES = {
    "AcceptCounter": _("accepted other terms"),
    "AcceptProposal": _("accepted a proposal"),
    "ActivatePolicy": _("adopted a policy"),
    "AdoptTaxonomyDraft": _("adopted a change of the taxonomy"),
    "AddImportRows": _("sent rows of a file"),
    "BatchAcceptProposals": _("accepted a proposal"),
    "CancelOperation": _("stopped a round"),
    "CancelRound": _("stopped a round"),
    "ChangePassword": _("changed the own password"),
    "ConfirmImport": _("confirmed an import"),
    "ContestCreditEvent": _("contested a credit event"),
    "CounterProposal": _("asked for other terms"),
    "CreateApiKey": _("made an API key"),
    "CreateCapability": _("added a capability"),
    "CreateDelegation": _("let a platform act"),
    "CreateDemand": _("posted a demand"),
    "CreateImport": _("began an import"),
    "CreateMember": _("invited somebody"),
    "CreateOffer": _("posted an offer"),
    "CreateOrganization": _("brought a firm"),
    "CreatePolicy": _("wrote a policy"),
    "CreateWebhook": _("made a webhook"),
    "DecideCreditEvent": _("decided about a credit event"),
    "DeclineCounter": _("declined other terms"),
    "DeclineProposal": _("declined a proposal"),
    "DeleteApiKey": _("ended an API key"),
    "DeleteCalendarFeed": _("ended the calendar's address"),
    "DeleteDeadLetter": _("dropped a dead letter"),
    "DeleteDelegation": _("withdrew a platform's agreement"),
    "DeleteImport": _("dropped an import"),
    "DeleteMember": _("removed somebody"),
    "DeleteWebhook": _("ended a webhook"),
    "EraseOrganization": _("erased a firm"),
    "ImportDemands": _("imported demands"),
    "ImportOffers": _("imported offers"),
    "ReplayDeadLetter": _("replayed a dead letter"),
    "ReplayWebhookDelivery": _("sent an event once more"),
    "ReportProposal": _("reported how it went"),
    "ResolveDispute": _("ended a dispute"),
    "RotateCalendarFeed": _("made a new calendar address"),
    "RotateWebhookSecret": _("made a new webhook secret"),
    "RunRound": _("started a round"),
    "SignUp": _("signed up"),
    "UpdateDemand": _("changed a demand"),
    "UpdateMailSettings": _("chose what mails to get"),
    "UpdateMember": _("changed a member"),
    "UpdateOffer": _("changed an offer"),
    "UpdateOrganization": _("changed the firm's page"),
    "UpdatePolicy": _("changed a policy"),
    "UpdateTaxonomyDraft": _("worked on the taxonomy"),
    "UpdateWebhook": _("changed a webhook"),
    "WithdrawDemand": _("withdrew a demand"),
    "WithdrawOffer": _("withdrew an offer"),
}
READING = _("read what is not public")

KINDS = {
    "apiKeys": _("API key"),
    "calendarFeed": _("calendar address"),
    "capabilities": _("capability"),
    "creditEvents": _("credit event"),
    "deadLetters": _("dead letter"),
    "delegations": _("agreement with a platform"),
    "deliveries": _("delivery"),
    "demands": _("demand"),
    "drafts": _("draft"),
    "imports": _("import"),
    "mailSettings": _("choice of mails"),
    "members": _("person"),
    "offers": _("offer"),
    "operations": _("run of a round"),
    "organizations": _("firm"),
    "policies": _("policy"),
    "proposals": _("proposal"),
    "rounds": _("round"),
    "taxonomyDraft": _("draft of the taxonomy"),
    "taxonomyVersions": _("version of the taxonomy"),
    "webhooks": _("webhook"),
}
"""What each kind of resource is called, by the last collection of its name."""

FIELDS = {
    "attributes": _("attributes"),
    "balances": _("what is taken"),
    "budget": _("overall budget"),
    "bundle": _("all or nothing"),
    "capability": _("capability"),
    "capacity": _("capacity"),
    "contact": _("contact"),
    "credit_grade": _("credit grade"),
    "delegates": _("platforms that act for it"),
    "description": _("description"),
    "disclosure": _("who may see what"),
    "display_name": _("name"),
    "edits": _("capabilities"),
    "email": _("e-mail"),
    "event_types": _("events"),
    "excluded_organizations": _("excluded firms"),
    "identity_disclosure": _("who may see the name"),
    "kind": _("kind"),
    "language": _("language"),
    "languages": _("languages"),
    "lead_time_periods": _("lead time"),
    "least_quantity": _("least quantity"),
    "limit_price": _("limit price"),
    "lines": _("lines"),
    "location": _("location"),
    "minimum_order": _("minimum order"),
    "minimum_run": _("minimum run"),
    "muted": _("mails not wanted"),
    "name": _("firm"),
    "paused": _("paused"),
    "precedences": _("order of the lines"),
    "preferred_organizations": _("preferred firms"),
    "priority_class": _("priority class"),
    "quantity": _("quantity"),
    "reach": _("regions"),
    "region": _("region"),
    "requirements": _("requirements of a partner"),
    "role": _("role"),
    "setup_price": _("setup price"),
    "sourcing": _("number of partners"),
    "standards": _("standards"),
    "title": _("title"),
    "unit_price": _("price"),
    "url": _("address"),
    "verification": _("check of the papers"),
    "window": _("weeks"),
}
"""What each field is called, by the last part of its path."""

OUTCOMES = {
    "REASON_ALREADY_ANSWERED": _("answered already"),
    "REASON_ALREADY_EXISTS": _("there already"),
    "REASON_ATTRIBUTE_INVALID": _("an attribute was wrong"),
    "REASON_BELOW_COMMITTED": _("below what is held or agreed"),
    "REASON_CAPABILITY_UNKNOWN": _("no such capability"),
    "REASON_CAPACITY_EXCEEDED": _("more than is left"),
    "REASON_CLAIM_COMMITTED": _("agreed already"),
    "REASON_CLAIM_UNKNOWN": _("nothing held"),
    "REASON_COMMITMENTS_REMAIN": _("agreements are open"),
    "REASON_CONFLICT": _("changed by somebody else"),
    "REASON_CREDENTIALS_WRONG": _("wrong password or key"),
    "REASON_CREDIT_EVENT_STATE": _("decided already"),
    "REASON_DEMAND_EXCEEDED": _("more than is asked for"),
    "REASON_EMAIL_TAKEN": _("the e-mail is taken"),
    "REASON_ETAG_MISMATCH": _("changed by somebody else"),
    "REASON_FIELD_INVALID": _("a field was wrong"),
    "REASON_INTERNAL": _("a fault of the program"),
    "REASON_LAST_OWNER": _("a firm needs a person responsible"),
    "REASON_LEASE_EXPIRED": _("the time was up"),
    "REASON_NOT_A_PARTY": _("not a party"),
    "REASON_NOT_FOUND": _("not found"),
    "REASON_NOT_OPEN": _("not open any more"),
    "REASON_ORGANIZATION_FORBIDDEN": _("not for this firm"),
    "REASON_PAGE_TOKEN_INVALID": _("a field was wrong"),
    "REASON_POLICY_INVALID": _("the policy was wrong"),
    "REASON_PROPOSAL_STATE": _("the proposal's state forbids it"),
    "REASON_RATE_LIMITED": _("too many attempts"),
    "REASON_REQUEST_ID_REUSED": _("the id of another call"),
    "REASON_ROLE_MISSING": _("another role is needed"),
    "REASON_ROUND_RUNNING": _("a round was running"),
    "REASON_ROUND_STATE": _("the round's state forbids it"),
    "REASON_SCOPE_MISSING": _("not allowed to this key"),
    "REASON_SOLVER_FAILED": _("the solver failed"),
    "REASON_TERMS_CHANGED": _("the terms had changed"),
    "REASON_TOKEN_EXPIRED": _("the sign-in had ended"),
    "REASON_UNAUTHENTICATED": _("not signed in"),
    "REASON_UNAVAILABLE": _("a service was away"),
}
"""Why a change was refused, by reason."""

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Thing:
    """What an entry is about: its kind in words, its own id, and its page, if it has one."""

    kind: str
    id: str
    page: str


def thing(name: str, reader: str, translate: Callable[[str], str]) -> Thing:
    """Return what a resource name means to a reader of an organization."""
    parts = name.split("/")
    collection = parts[-2] if len(parts) % 2 == 0 else parts[-1]
    kind = translate(KINDS[collection]) if collection in KINDS else collection
    own = parts[-1] if len(parts) % 2 == 0 else ""
    return Thing(kind, own if len(own) <= 2 * _SHORT else f"{own[:_SHORT]}…", _page(parts, reader))


def _page(parts: list[str], reader: str) -> str:
    match parts:
        case ["organizations", firm, "offers" | "demands" as side, posting] if (
            f"organizations/{firm}" == reader
        ):
            return f"/{side}/{posting}"
        case ["rounds", round_, "proposals", proposal]:
            return f"/proposals/{round_}/{proposal}"
        case ["rounds", round_]:
            return f"/rounds/{round_}"
    return ""


def fields(paths: Iterable[str], translate: Callable[[str], str]) -> list[str]:
    """Return what fields are called, each once; one without words keeps its path."""
    found = ((FIELDS.get(path.rpartition(".")[2]), path) for path in paths)
    return list(dict.fromkeys(translate(words) if words else path for words, path in found))
