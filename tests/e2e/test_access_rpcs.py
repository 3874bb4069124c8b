"""Every RPC × every kind of caller, aimed at organization A: the exact refusal, or permission.

The RPCs come from the descriptors, what is expected from their access option (``access.rule``)
and from the table of what use cases decide (``access.cases``). A new RPC fails here until it has
a case. Beyond the verdicts: whatever an outsider is answered holds nothing that A keeps private.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from spareline.registry.v1 import registry_service_pb2 as reg
from tests.e2e.access import rule
from tests.e2e.access.case import Case
from tests.e2e.access.cases import CASES
from tests.e2e.access.cast import CALLERS, OUTSIDERS, Voice, gather
from tests.e2e.access.matching_cases import AS_ITSELF, NOT_SERVED
from tests.e2e.access.scene import SECRETS, Scene, scene

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

METHODS = {method.name: method for method in rule.methods()}


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as running:
        yield running


def test_every_rpc_is_listed() -> None:
    names = [method.name for method in rule.methods()]
    assert len(set(names)) == len(names), "two services have an RPC of the same name"
    listed = {case.method for case in CASES} | set(NOT_SERVED)
    assert listed == set(names), "give each new RPC a case in tests/e2e/access"
    assert set(CALLERS) == {"anonymous", *rule.KINDS}


async def test_the_matrix(stage: Scene) -> None:
    """One market for the whole matrix: what is tried changes nothing."""
    wrong = [each for each in await gather(*_matrix(stage)) if each]
    assert not wrong, "\n" + "\n".join(wrong)
    await _not_a_party(stage)
    await _not_served(stage)
    await _nothing_has_changed(stage)


def _matrix(stage: Scene) -> list[object]:
    return [_tried(stage, case, stage.voices[name]) for case in CASES for name in CALLERS]


async def _tried(stage: Scene, case: Case, caller: Voice) -> str:
    method = METHODS[case.method]
    access = rule.access_of(method)
    expected = (
        rule.refusal(access, caller.name, concerns_a=case.concerns_a)
        or case.but.get(caller.name, "")
        or case.let_in
    )
    verdict, answer = await caller.say(method, case.request(stage))
    verdict = _of_items(verdict, answer)
    if verdict != expected:
        return f"{case.title} by {caller.name}: {verdict} instead of {expected}"
    if leaked := [word for word in SECRETS if caller.name in OUTSIDERS and word in str(answer)]:
        return f"{case.title} tells {caller.name} of {leaked}"
    return ""


def _of_items(verdict: str, answer: Message | None) -> str:
    """An import answers for each item by itself: return the verdict on its one item."""
    if isinstance(answer, reg.ImportResponse) and answer.errors:
        return answer.errors[0].reason.removeprefix("REASON_")
    return verdict


async def _not_a_party(stage: Scene) -> None:
    """In its own name nobody but a party reads or answers a proposal, and no refusal tells of it.

    To an operator's organization the same: it reads without a party, and never answers.
    """
    for name, request in AS_ITSELF.items():
        for outsider in ("owner_b", "platform_without", "platform_with"):
            caller = stage.voices[outsider]
            verdict, answer = await caller.say(METHODS[name], request(stage, caller.organization))
            assert (verdict, answer) == ("NOT_A_PARTY", None), f"{name} by {outsider}"


async def _nothing_has_changed(stage: Scene) -> None:
    owner = stage.voices["owner_a"]
    verdict, answer = await owner.say(
        METHODS["GetOffer"], reg.GetOfferRequest(name=stage.offer.name)
    )
    assert verdict == "OK"
    assert answer == stage.offer
    verdict, answer = await owner.say(
        METHODS["ListDelegations"], reg.ListDelegationsRequest(parent=owner.organization)
    )
    assert isinstance(answer, reg.ListDelegationsResponse)
    assert [each.name for each in answer.delegations] == [stage.delegation]


async def _not_served(stage: Scene) -> None:
    for name in NOT_SERVED:
        request = GetMessageClass(METHODS[name].input_type)()
        verdict, _ = await stage.voices["operator"].say(METHODS[name], request)
        assert verdict.startswith("UNIMPLEMENTED")
