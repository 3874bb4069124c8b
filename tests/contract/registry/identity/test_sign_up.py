"""Signing up, on the real store: unique addresses, repeats, and crashes in between."""

import asyncio
import uuid

import pytest

from services.chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1.identity_service_pb2 import SignUpRequest
from tests.contract.registry.identity.conftest import PASSWORD, Served


def request(email: str = "wang@example.com", **fields: object) -> SignUpRequest:
    given: dict[str, object] = {
        "organization": Organization(display_name="Ningbo Mould & Die", region="CN-ZJ"),
        "email": email,
        "person": "Wang Fang",
        "password": PASSWORD,
        "language": "zh",
    }
    return SignUpRequest(**(given | fields))  # type: ignore[arg-type]


async def test_makes_an_organization_and_its_owner(served: Served) -> None:
    answer = await served.anyone.identity.SignUp(request())
    assert answer.organization.name == "organizations/ningbo-mould-die"
    assert answer.organization.kind == Organization.KIND_SME
    assert answer.organization.credit_grade == "C"
    assert answer.organization.pseudonym.startswith("Partner ")
    assert answer.member.name.startswith("organizations/ningbo-mould-die/members/")
    stored = await served.identity.organizations.get(answer.organization.name)
    assert stored == answer.organization
    document = await served.identity.organizations.document(answer.organization.name)
    assert document is not None
    assert [event["subject"] for event in document["outbox"]] == [
        "market.organization.registered.v1"
    ]


async def test_an_address_signs_up_once_whatever_its_case(served: Served) -> None:
    await served.anyone.identity.SignUp(request())
    with pytest.raises(AlreadyExists) as refused:
        await served.anyone.identity.SignUp(request("WANG@Example.com"))
    assert refused.value.reason == reason_pb2.REASON_EMAIL_TAKEN


async def test_a_repeat_gets_the_first_answer(served: Served) -> None:
    identity = str(uuid.uuid4())
    first = await served.anyone.identity.SignUp(request(request_id=identity))
    assert await served.anyone.identity.SignUp(request(request_id=identity)) == first
    with pytest.raises(FailedPrecondition) as refused:
        await served.anyone.identity.SignUp(request(request_id=identity, person="Li Na"))
    assert refused.value.reason == reason_pb2.REASON_REQUEST_ID_REUSED


async def test_many_at_once_with_one_address_make_one_organization(served: Served) -> None:
    names = [f"Firm {number}" for number in range(12)]
    calls = [
        served.anyone.identity.SignUp(
            request(organization=Organization(display_name=name, region="DE-BW"))
        )
        for name in names
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert sum(isinstance(result, AlreadyExists) for result in results) == 11
    found = [each async for each in served.identity.organizations.stream_all()]
    assert len(found) == 1


async def test_names_without_latin_letters_and_names_that_are_taken(served: Served) -> None:
    chinese = Organization(display_name="宁波模具厂", region="CN-ZJ")
    first = await served.anyone.identity.SignUp(request("a@example.com", organization=chinese))
    assert first.organization.name.startswith("organizations/org-")
    second = await served.anyone.identity.SignUp(request("b@example.com"))
    third = await served.anyone.identity.SignUp(request("c@example.com"))
    assert third.organization.name.startswith(second.organization.name + "-")


async def test_a_wanted_id_that_is_taken_leaves_the_address_free(served: Served) -> None:
    await served.anyone.identity.SignUp(request(organization_id="acme"))
    with pytest.raises(AlreadyExists) as refused:
        await served.anyone.identity.SignUp(request("li@example.com", organization_id="acme"))
    assert refused.value.reason == reason_pb2.REASON_ALREADY_EXISTS
    answer = await served.anyone.identity.SignUp(request("li@example.com"))
    assert answer.member.email == "li@example.com"


async def test_operators_do_not_sign_up(served: Served) -> None:
    operator = Organization(display_name="X", region="CN-ZJ", kind=Organization.KIND_OPERATOR)
    with pytest.raises(InvalidArgument) as refused:
        await served.anyone.identity.SignUp(request(organization=operator))
    assert refused.value.violations[0].field == "organization.kind"


class Crash(RuntimeError):  # noqa: N818
    """Stands for the end of the process."""


def _crash_at(served: Served, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    async def crash(*_: object, **__: object) -> bool:
        raise Crash

    target = served.identity.organizations if step == "insert" else served.identity.accounts
    monkeypatch.setattr(target, step, crash)


@pytest.mark.parametrize("step", ["insert", "founded"])
@pytest.mark.parametrize("healed_by", ["retry", "new password", "other person", "sign-in", "start"])
async def test_a_crash_in_between_blocks_nobody(
    served: Served, monkeypatch: pytest.MonkeyPatch, step: str, healed_by: str
) -> None:
    with monkeypatch.context() as broken:
        _crash_at(served, broken, step)
        with pytest.raises(Crash):
            await served.identity.sign_up(request())
    password = PASSWORD
    if healed_by == "retry":
        await served.anyone.identity.SignUp(request())
    elif healed_by == "new password":
        password = "another good password"
        await served.anyone.identity.SignUp(request(password=password))
    elif healed_by == "other person":
        # What was begun is ended, for it may be under way: they are told to sign in.
        with pytest.raises(AlreadyExists):
            await served.anyone.identity.SignUp(request(person="Wang F."))
    elif healed_by == "start":
        await served.identity.resume()
    person = await served.sign_in("wang@example.com", password)
    assert person.organization == "organizations/ningbo-mould-die"
    account = await served.identity.accounts.get("wang@example.com")
    assert account is not None
    assert not account["founding"]
    found = [each.name async for each in served.identity.organizations.stream_all()]
    assert found == ["organizations/ningbo-mould-die"]
