"""Calendar feeds on the real store: one for each member, by a secret that can be taken back."""

import uuid

import pytest

from services.chassis.errors import PermissionDenied, Unauthenticated
from spareline.registry.v1 import calendar_service_pb2 as api
from spareline.registry.v1 import identity_service_pb2 as identity
from spareline.registry.v1 import registry_service_pb2 as registry
from tests.contract.registry.identity.conftest import Person, Served


async def rotate(person: Person) -> api.RotateCalendarFeedResponse:
    request = api.RotateCalendarFeedRequest(name=feed_of(person), request_id=str(uuid.uuid4()))
    made = await person.calendars.RotateCalendarFeed(request)
    again = await person.calendars.RotateCalendarFeed(request)
    assert (again.calendar_feed, again.secret) == (made.calendar_feed, "")
    return made


def feed_of(person: Person) -> str:
    return f"{person.name}/calendarFeed"


async def token(served: Served, secret: str) -> identity.IssueTokenResponse:
    request = identity.IssueTokenRequest(calendar_feed=secret)
    answer: identity.IssueTokenResponse = await served.anyone.identity.IssueToken(request)
    return answer


async def test_a_feed_speaks_for_the_calendar_alone(served: Served) -> None:
    owner = await served.owner()
    empty = await owner.calendars.GetCalendarFeed(api.GetCalendarFeedRequest(name=feed_of(owner)))
    assert not empty.HasField("create_time")
    made = await rotate(owner)
    issued = (await token(served, made.secret)).principal
    assert (issued.role, list(issued.scopes)) == ("calendar", ["read"])
    assert issued.organization == owner.organization
    kept = await owner.calendars.GetCalendarFeed(api.GetCalendarFeedRequest(name=feed_of(owner)))
    assert kept.HasField("last_use_time")
    stored = await served.identity.calendar_feeds._store.get(feed_of(owner))
    assert made.secret.split("_")[2] not in str(stored)


async def test_a_new_secret_a_deletion_and_a_made_up_one_end_it(served: Served) -> None:
    owner = await served.owner()
    first, second = await rotate(owner), await rotate(owner)
    for secret in (first.secret, second.secret + "x", "spc_none_none", "spl_a_b"):
        with pytest.raises(Unauthenticated):
            await token(served, secret)
    await token(served, second.secret)
    request = api.DeleteCalendarFeedRequest(name=feed_of(owner))
    for _ in range(2):
        await owner.calendars.DeleteCalendarFeed(request)
    with pytest.raises(Unauthenticated):
        await token(served, second.secret)


async def test_nobody_elses_feed_is_touched(served: Served) -> None:
    owner, other = await served.owner("A"), await served.owner("B")
    await rotate(owner)
    with pytest.raises(PermissionDenied):
        await other.calendars.RotateCalendarFeed(api.RotateCalendarFeedRequest(name=feed_of(owner)))


async def test_a_feed_goes_with_its_firm(served: Served) -> None:
    owner = await served.owner()
    made = await rotate(owner)
    await owner.registry.EraseOrganization(
        registry.EraseOrganizationRequest(name=owner.organization)
    )
    assert await served.identity.calendar_feeds._store.get(feed_of(owner)) is None
    with pytest.raises(Unauthenticated):
        await token(served, made.secret)
