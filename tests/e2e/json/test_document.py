"""What the OpenAPI document says of the JSON API is so: schemathesis calls every operation.

Examples are few and repeatable, aimed at what is there as often as at what is not; everything
stays on the loopback address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.gateway.api import openapi
from tests.e2e.json_api import Place

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EXAMPLES = 3
SECONDS = 20.0
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LEFT_OUT = {
    # Streams do not end; they have tests of their own.
    "WatchProposals",
    "WatchRound",
    # They would end what all others need.
    "EraseOrganization",
    "ChangePassword",
    # Events would be sent to addresses that were made up.
    "CreateWebhook",
    "UpdateWebhook",
}

SCHEMA = schemathesis.openapi.from_dict(openapi.document())
OPERATIONS = {
    operation.definition.raw["operationId"]: operation
    for operation in (found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok))
}


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as kept:
        yield kept


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - LEFT_OUT))
def test_every_operation_answers_as_told(
    place: Place, session: requests.Session, name: str
) -> None:
    operation = OPERATIONS[name]
    modes = schemathesis.GenerationMode
    cases = operation.as_strategy(generation_mode=modes.POSITIVE)
    if operation.body or operation.query:
        cases |= operation.as_strategy(generation_mode=modes.NEGATIVE)
    callers = ["operator"] if name in ("RunRound", "CancelRound") else ["alpha", "operator"]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=st.booleans(), who=st.sampled_from(callers))
    def probe(case: Any, real: bool, who: str) -> None:
        if real and case.path_parameters:
            case.path_parameters = {
                key: place.names.get(key, value) for key, value in case.path_parameters.items()
            }
        case.call_and_validate(
            base_url=f"{place.address}/api",
            session=session,
            headers={"Authorization": f"Bearer {place.tokens[who]}"},
            timeout=SECONDS,
            checks=CHECKS,
        )

    probe()
