"""The cases of webhooks and mail, their owners' alone, and of dead letters, the operators'."""

from google.protobuf.field_mask_pb2 import FieldMask

from spareline.market.v1 import mail_pb2, webhook_pb2
from spareline.registry.v1 import dead_letter_service_pb2 as dead
from spareline.registry.v1 import mail_service_pb2 as mail
from spareline.registry.v1 import webhook_service_pb2 as api
from tests.e2e.access.case import Case, same
from tests.e2e.access.cast import A

_NONE = f"{A}/webhooks/none"
_RENAMED = api.UpdateWebhookRequest(
    webhook=webhook_pb2.Webhook(name=_NONE, display_name="Other"),
    update_mask=FieldMask(paths=["display_name"]),
)

# Of a member that nobody of the cast is.
_SETTINGS = mail_pb2.MailSettings(name=f"{A}/members/colleague/mailSettings")
_NOT_YOURS = "ORGANIZATION_FORBIDDEN"

MAIL = (
    Case("GetMailSettings", same(mail.GetMailSettingsRequest(name=_SETTINGS.name)), _NOT_YOURS),
    Case(
        "UpdateMailSettings",
        same(mail.UpdateMailSettingsRequest(mail_settings=_SETTINGS)),
        _NOT_YOURS,
    ),
)

WEBHOOKS = (
    Case("CreateWebhook", same(api.CreateWebhookRequest(parent=A)), "FIELD_INVALID"),
    Case("GetWebhook", same(api.GetWebhookRequest(name=_NONE)), "NOT_FOUND"),
    Case("ListWebhooks", same(api.ListWebhooksRequest(parent=A))),
    Case("UpdateWebhook", same(_RENAMED), "NOT_FOUND"),
    Case("DeleteWebhook", same(api.DeleteWebhookRequest(name=_NONE))),
    Case("RotateWebhookSecret", same(api.RotateWebhookSecretRequest(name=_NONE)), "NOT_FOUND"),
    Case(
        "ListWebhookDeliveries", same(api.ListWebhookDeliveriesRequest(parent=_NONE)), "NOT_FOUND"
    ),
    Case(
        "ReplayWebhookDelivery",
        same(api.ReplayWebhookDeliveryRequest(name=f"{_NONE}/deliveries/none")),
        "NOT_FOUND",
    ),
)

_LETTER = "deadLetters/7"
DEAD_LETTERS = (
    Case("ListDeadLetters", same(dead.ListDeadLettersRequest())),
    Case("GetDeadLetter", same(dead.GetDeadLetterRequest(name=_LETTER)), "NOT_FOUND"),
    Case("ReplayDeadLetter", same(dead.ReplayDeadLetterRequest(name=_LETTER)), "NOT_FOUND"),
    Case("DeleteDeadLetter", same(dead.DeleteDeadLetterRequest(name=_LETTER))),
)
