"""From the sample's entries to organizations, and who signs in for them."""

from __future__ import annotations

from typing import Final

from google.type.latlng_pb2 import LatLng

from deploy.sample.files import Entry, require_keys
from spareline.market.v1.organization_pb2 import Contact, Organization

_NEEDS: Final = frozenset(
    {*("id", "name", "kind", "region", "at", "languages", "standards"), "person", "email", "about"}
)
_KEYS: Final = _NEEDS | {"phone", "address", "sign_in", "verified"}

PLATFORM_ID: Final = "delta-exchange"
PLATFORM: Final = f"organizations/{PLATFORM_ID}"
PLATFORM_EMAIL: Final = "platform@spareline.example"
PLATFORM_PERSON: Final = "Delta Exchange"


def organization(entry: Entry) -> Organization:
    """The organization of an entry, without a name: its id goes beside it. Raises SampleError."""
    require_keys(entry, _KEYS, _NEEDS)
    latitude, longitude = (float(each) for each in entry["at"])
    return Organization(
        display_name=entry["name"],
        kind=Organization.Kind.Value(f"KIND_{entry['kind']}"),
        region=entry["region"],
        location=LatLng(latitude=latitude, longitude=longitude),
        languages=entry["languages"],
        standards=entry["standards"],
        contact=Contact(
            person=entry["person"],
            email=entry["email"],
            phone=entry.get("phone", ""),
            address=entry.get("address", ""),
        ),
        description=entry["about"],
    )


def platform() -> Organization:
    """The partner platform that brings the sample's firms."""
    return Organization(
        display_name="长三角产能交易所 Delta Exchange",
        kind=Organization.KIND_PLATFORM,
        region="CN-SH",
        location=LatLng(latitude=31.2304, longitude=121.4737),
        languages=["zh", "en", "de", "it"],
        contact=Contact(person=PLATFORM_PERSON, email=PLATFORM_EMAIL),
        description="A partner platform that posts for the firms it brings. 代会员企业发布供需。",
    )
