"""What-if rounds that try a policy nobody has stored, or take the market of an earlier round."""

from services.chassis.causes import said
from services.chassis.errors import Violation, invalid
from services.matching.domain import policies as rules
from spareline.errors.v1 import cause_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import policy_pb2


def require_sound(request: pb.RunRoundRequest) -> None:
    """Raise InvalidArgument (FIELD_INVALID, POLICY_INVALID) unless what it asks fits together."""
    wrong = []
    for field, given in (
        ("trial_policy", request.HasField("trial_policy")),
        ("inputs_of", bool(request.inputs_of)),
    ):
        if given and not request.what_if:
            wrong.append(Violation(field, said(cause_pb2.CAUSE_TRIAL_ONLY)))
    if request.HasField("trial_policy") and (request.policy or request.policy_version):
        wrong.append(Violation("policy", said(cause_pb2.CAUSE_TWO_POLICIES)))
    if request.inputs_of and request.HasField("as_of"):
        wrong.append(Violation("as_of", said(cause_pb2.CAUSE_TWO_MOMENTS)))
    if wrong:
        raise invalid(*wrong)
    if request.HasField("trial_policy"):
        rules.require_sound(request.trial_policy, "trial_policy")


def tried(policy: policy_pb2.Policy) -> policy_pb2.Policy:
    """Return a policy as a round keeps it that tries it; its etag tells what it was made from."""
    kept = policy_pb2.Policy()
    kept.CopyFrom(policy)
    for field in ("version", "active", "create_time", "author", "adopt_time", "adopter"):
        kept.ClearField(field)
    return kept
