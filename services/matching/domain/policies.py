"""Policies: the one a new market starts with, and the checks beyond the fields' own rules."""

from dataclasses import replace
from datetime import datetime

from services.chassis.causes import said
from services.chassis.errors import Violation, invalid
from services.matching.domain.proposals import stamp
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import policy_pb2

Policy = policy_pb2.Policy

STANDARD = "policies/standard"
_DAY_SECONDS = 86_400
_LEAST_SCHEDULE_SECONDS = 10


def standard() -> policy_pb2.Policy:
    """Return the policy that a new market starts with."""
    policy = Policy(
        name=STANDARD,
        display_name="Standard: surplus first, with fair turns",
        surplus_permille=1000,
        fill_permille=100,
        fairness_permille=100,
        transport=[policy_pb2.TransportRate(per_tick_1000km=40)],
        priority_classes=[
            policy_pb2.PriorityClass(name="normal", bonus_permille=0),
            policy_pb2.PriorityClass(name="urgent", bonus_permille=300),
            policy_pb2.PriorityClass(name="emergency", bonus_permille=2000),
        ],
        price_rule=Policy.PRICE_RULE_OFFER,
        horizon_periods=26,
    )
    policy.lease.FromSeconds(2 * _DAY_SECONDS)
    policy.time_limit.FromSeconds(60)
    policy.debounce.FromSeconds(30)
    return policy


def version_of(
    policy: policy_pb2.Policy, version: int, now: datetime, author: str = ""
) -> policy_pb2.Policy:
    """Return a policy as a version to be stored, without what is told when it is read.

    ``author`` is empty for the platform.
    """
    made = Policy()
    made.CopyFrom(policy)
    made.version = version
    made.active = False
    made.etag = ""
    made.author = author
    made.ClearField("adopt_time")
    made.adopter = ""
    made.create_time.CopyFrom(stamp(now))
    return made


def require_sound(policy: policy_pb2.Policy, at: str = "policy") -> None:
    """Check what the fields' own rules cannot say; ``at`` is the field that holds the policy.

    Raises InvalidArgument (POLICY_INVALID) with one violation for each that is wrong.
    """
    wrong = [*_missing(policy), *_weights(policy), *_repeated(policy), *_times(policy)]
    if wrong:
        wrong = [replace(each, field=at + each.field.removeprefix("policy")) for each in wrong]
        raise invalid(*wrong, reason=reason_pb2.REASON_POLICY_INVALID)


def _missing(policy: policy_pb2.Policy) -> list[Violation]:
    return [
        Violation(f"policy.{field}", said(cause))
        for field, cause in (
            ("lease", cause_pb2.CAUSE_LEASE_MISSING),
            ("time_limit", cause_pb2.CAUSE_TIME_LIMIT_MISSING),
        )
        if not policy.HasField(field)  # type: ignore[arg-type]
    ]


def _weights(policy: policy_pb2.Policy) -> list[Violation]:
    wrong = []
    gains = (policy.surplus_permille, policy.fill_permille, policy.fill_per_demand)
    if not any(gains):
        wrong.append(
            Violation(
                "policy.surplus_permille",
                said(cause_pb2.CAUSE_NOTHING_WORTH),
            )
        )
    if policy.k_permille and policy.price_rule != Policy.PRICE_RULE_K_DOUBLE_AUCTION:
        wrong.append(
            Violation(
                "policy.k_permille",
                said(cause_pb2.CAUSE_K_UNUSED),
            )
        )
    if policy.change_permille and not policy.reopens_unanswered:
        wrong.append(
            Violation(
                "policy.change_permille",
                said(cause_pb2.CAUSE_CHANGE_PENALTY_UNUSED),
            )
        )
    return wrong


def _repeated(policy: policy_pb2.Policy) -> list[Violation]:
    wrong = []
    for field, keys, what in (
        ("transport", [rate.capability for rate in policy.transport], "capability"),
        ("priority_classes", [each.name for each in policy.priority_classes], "name"),
    ):
        for index, key in enumerate(keys):
            if key in keys[:index]:
                path = f"policy.{field}[{index}].{what}"
                wrong.append(Violation(path, said(cause_pb2.CAUSE_KEY_TWICE, key=key)))
    return wrong


def _times(policy: policy_pb2.Policy) -> list[Violation]:
    wrong = []
    schedule = policy.schedule.ToNanoseconds() if policy.HasField("schedule") else 0
    if schedule < 0 or 0 < schedule < _LEAST_SCHEDULE_SECONDS * 10**9:
        wrong.append(
            Violation(
                "policy.schedule",
                said(cause_pb2.CAUSE_SCHEDULE_TOO_TIGHT, least=_LEAST_SCHEDULE_SECONDS),
            )
        )
    if policy.HasField("debounce") and policy.debounce.ToNanoseconds() < 0:
        wrong.append(Violation("policy.debounce", said(cause_pb2.CAUSE_PAUSE_NEGATIVE)))
    return wrong
