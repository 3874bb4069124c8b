"""The emergency policy: serve as many requests as wholly as possible, near the donors.

What is served earns its limit price, which the replay sets so that a request served whole is worth
the same whatever its size: that is what the package's fill rate counts. Each item pays a price per
kilometre, and each shipment a penalty.
"""

from __future__ import annotations

import uuid
from typing import Final

import grpc
from google.protobuf.duration_pb2 import Duration

from benchmarks.ppe.market import Stubs
from spareline.matching.v1 import matching_service_pb2 as api
from spareline.matching.v1.policy_pb2 import Policy

NAME: Final = "policies/emergency"
_ID: Final = "emergency"
# The data cover four months; the donations lie in the week after them.
_HORIZON_WEEKS: Final = 30
KM_PER_MILE: Final = 1.609344


def emergency(*, per_item_mile: int, per_shipment: int, seconds: int) -> Policy:
    """The policy. Money in fen: per item and mile, and per shipment."""
    return Policy(
        name=NAME,
        display_name="Emergency: most requests served, nearest first",
        fill_permille=1000,
        locality_per_tick_1000km=round(per_item_mile * 1000 / KM_PER_MILE),
        partner_penalty=per_shipment,
        price_rule=Policy.PRICE_RULE_OFFER,
        lease=Duration(seconds=24 * 3600),
        time_limit=Duration(seconds=seconds),
        horizon_periods=_HORIZON_WEEKS,
        # No schedule and no debounce: the replay asks for each round itself.
    )


async def put(operator: Stubs, policy: Policy) -> Policy:
    """Make the policy, or a new version of it where it exists."""
    try:
        known = await operator.matching.GetPolicy(api.GetPolicyRequest(name=NAME))
    except grpc.aio.AioRpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        fresh = Policy()
        fresh.CopyFrom(policy)
        fresh.name = ""
        return await operator.matching.CreatePolicy(
            api.CreatePolicyRequest(policy_id=_ID, policy=fresh, request_id=str(uuid.uuid4()))
        )
    policy.etag = known.etag
    return await operator.matching.UpdatePolicy(
        api.UpdatePolicyRequest(policy=policy, request_id=str(uuid.uuid4()))
    )


async def activate(operator: Stubs, name: str) -> None:
    """Make scheduled and triggered rounds use a policy."""
    request = api.ActivatePolicyRequest(name=name, request_id=str(uuid.uuid4()))
    await operator.matching.ActivatePolicy(request)


async def active(operator: Stubs) -> str:
    """The name of the active policy."""
    return (await operator.matching.GetPolicy(api.GetPolicyRequest())).name
