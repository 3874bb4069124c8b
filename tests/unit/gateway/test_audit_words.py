"""What audit pages call what the contracts name: nothing is shown raw."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor

from services.gateway.audit_words import FIELDS, KINDS, OUTCOMES, thing
from services.gateway.languages import translations
from spareline.errors.v1 import reason_pb2
from spareline.market.v1 import (
    demand_pb2,
    mail_pb2,
    offer_pb2,
    organization_pb2,
    webhook_pb2,
)

PROTOS = Path(__file__).resolve().parents[3] / "protos"
FIRM = "organizations/haijing"
NAME = re.compile(r"// (?:Resource name: )?((?:[a-zA-Z]+/\{[^}]+\}/?)+[a-zA-Z]*)")
_ONLY_READ = {
    *("auditEntries", "creditAccount", "definition", "explanations"),
    *("marketView", "summary", "utilization"),
}
_MADE_BY_US = {"state", "create_time", "update_time", "etag", "generation", "pseudonym"}
_NEVER_NAMED = {"id", "secret", "previous_secret_expire_time"}


def chinese(text: str) -> str:
    return translations("zh").gettext(text)


def updatable() -> Iterator[Descriptor]:
    yield offer_pb2.Offer.DESCRIPTOR
    yield demand_pb2.Demand.DESCRIPTOR
    yield demand_pb2.Line.DESCRIPTOR
    yield organization_pb2.Organization.DESCRIPTOR
    yield organization_pb2.Member.DESCRIPTOR
    yield webhook_pb2.Webhook.DESCRIPTOR
    yield mail_pb2.MailSettings.DESCRIPTOR


def test_every_kind_of_resource_of_the_contracts_has_words() -> None:
    names = {
        found for path in PROTOS.rglob("*.proto") for found in NAME.findall(path.read_text("utf-8"))
    }
    assert len(names) > 15
    collections = {re.sub(r"/?\{[^}]+\}$", "", name).rpartition("/")[2] for name in names}
    assert collections - KINDS.keys() == _ONLY_READ


def test_every_reason_and_every_field_that_is_changed_or_disclosed_has_words() -> None:
    reasons = set(reason_pb2.Reason.keys()) - {"REASON_UNSPECIFIED"}
    assert reasons == OUTCOMES.keys()
    changed = {field.name for message in updatable() for field in message.fields}
    assert changed - _MADE_BY_US - _NEVER_NAMED - FIELDS.keys() == set()


@pytest.mark.parametrize(
    ("name", "kind", "page"),
    [
        (f"{FIRM}/offers/mill", "供给", "/offers/mill"),
        ("organizations/other/offers/mill", "供给", ""),
        ("rounds/r/proposals/p", "方案", "/proposals/r/p"),
        (f"{FIRM}/members/m/mailSettings", "邮件选择", ""),
        (f"{FIRM}/members", "人员", ""),
        ("taxonomyDraft", "分类目录草稿", ""),
        ("novelties/1", "novelties", ""),
    ],
)
def test_a_name_is_told_by_its_kind_and_leads_to_its_page(name: str, kind: str, page: str) -> None:
    found = thing(name, FIRM, chinese)
    assert (found.kind, found.page) == (kind, page)
