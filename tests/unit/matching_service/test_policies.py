"""The standard policy, and what a policy may not say."""

from collections.abc import Callable

import pytest

from services.chassis.errors import InvalidArgument
from services.chassis.validation import violations
from services.matching.domain import policies
from spareline.errors.v1 import reason_pb2
from spareline.matching.v1 import policy_pb2


def test_the_standard_policy_is_sound() -> None:
    policy = policies.standard()
    policies.require_sound(policy)
    assert violations(policy) == []


def _no_gain(policy: policy_pb2.Policy) -> None:
    policy.surplus_permille = policy.fill_permille = 0


def _k_without_auction(policy: policy_pb2.Policy) -> None:
    policy.k_permille = 500


def _change_while_pinned(policy: policy_pb2.Policy) -> None:
    policy.change_permille = 100


def _class_twice(policy: policy_pb2.Policy) -> None:
    policy.priority_classes.add(name="urgent")


def _rate_twice(policy: policy_pb2.Policy) -> None:
    policy.transport.add()


def _hectic(policy: policy_pb2.Policy) -> None:
    policy.schedule.FromSeconds(1)


def _negative(policy: policy_pb2.Policy) -> None:
    policy.debounce.FromSeconds(-1)


def _no_lease(policy: policy_pb2.Policy) -> None:
    policy.ClearField("lease")


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_no_gain, "policy.surplus_permille"),
        (_k_without_auction, "policy.k_permille"),
        (_change_while_pinned, "policy.change_permille"),
        (_class_twice, "policy.priority_classes[3].name"),
        (_rate_twice, "policy.transport[1].capability"),
        (_hectic, "policy.schedule"),
        (_negative, "policy.debounce"),
        (_no_lease, "policy.lease"),
    ],
)
def test_a_contradiction_is_named_with_its_mend(
    spoil: Callable[[policy_pb2.Policy], None], field: str
) -> None:
    policy = policies.standard()
    spoil(policy)
    with pytest.raises(InvalidArgument) as refused:
        policies.require_sound(policy)
    assert refused.value.reason == reason_pb2.REASON_POLICY_INVALID
    [violation] = refused.value.violations
    assert violation.field == field
    assert violation.mend
