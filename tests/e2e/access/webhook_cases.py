"""The cases of webhooks, which are their owners' alone: a delegation does not reach so far."""

from google.protobuf.field_mask_pb2 import FieldMask

from spareline.market.v1 import webhook_pb2
from spareline.registry.v1 import webhook_service_pb2 as api
from tests.e2e.access.case import Case, same
from tests.e2e.access.cast import A

_NONE = f"{A}/webhooks/none"
_RENAMED = api.UpdateWebhookRequest(
    webhook=webhook_pb2.Webhook(name=_NONE, display_name="Other"),
    update_mask=FieldMask(paths=["display_name"]),
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
