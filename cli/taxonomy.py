"""The taxonomy as far as files need it: units and attribute schemas by code."""

from __future__ import annotations

from dataclasses import dataclass

from cli.amounts import WrongAmount
from cli.client import Client
from spareline.market.v1.capability_pb2 import AttributeSchema, Capability
from spareline.registry.v1 import registry_service_pb2 as api


@dataclass(frozen=True)
class Taxonomy:
    """Capabilities by code."""

    capabilities: dict[str, Capability]

    def capability(self, code: str) -> Capability:
        """The capability of a code.

        Raises:
            WrongAmount: there is none.
        """
        found = self.capabilities.get(code)
        if found is None:
            mend = "Find the code with the search of the capability pages"
            raise WrongAmount(f"there is no capability {code}", mend)
        return found

    def schema(self, code: str, key: str) -> AttributeSchema:
        """The schema of an attribute.

        Raises:
            WrongAmount: the capability has no such attribute.
        """
        attributes = {each.key: each for each in self.capability(code).attributes}
        if key not in attributes:
            known = ", ".join(attributes) or "none"
            raise WrongAmount(f"{code} has no attribute {key}", f"It has: {known}")
        return attributes[key]


async def taxonomy(client: Client) -> Taxonomy:
    """Read the whole taxonomy."""
    found: dict[str, Capability] = {}
    request = api.ListCapabilitiesRequest()
    while True:
        page = await client.registry.ListCapabilities(request)
        found |= {each.code: each for each in page.capabilities}
        if not page.next_page_token:
            return Taxonomy(found)
        request.page_token = page.next_page_token
