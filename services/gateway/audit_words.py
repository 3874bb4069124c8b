"""What each kind of change is called on the audit's pages; an RPC without words shows its name."""

from __future__ import annotations


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
