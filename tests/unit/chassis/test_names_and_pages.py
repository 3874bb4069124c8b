"""Resource names by pattern, ids, and page tokens bound to their filter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import names, paging
from services.chassis.errors import InvalidArgument
from spareline.errors.v1 import reason_pb2
from spareline.registry.v1 import registry_service_pb2

OFFER = "organizations/{organization}/offers/{offer}"


def test_a_name_is_taken_apart_and_put_together() -> None:
    name = names.format_name(OFFER, organization="a", offer="b-1")
    assert name == "organizations/a/offers/b-1"
    assert names.parse(OFFER, name) == {"organization": "a", "offer": "b-1"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "organizations/a",
        "organizations/a/offers/",
        "organizations/a/offers/b/c",
        "organizations/-/offers/b",
        "organizations/a/demands/b",
        "organizations/a/offers/b\n",
    ],
)
def test_another_shape_is_refused_and_the_field_named(name: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        names.parse(OFFER, name, field="offer.name")
    assert caught.value.reason == reason_pb2.REASON_FIELD_INVALID
    assert [v.field for v in caught.value.violations] == ["offer.name"]


def test_ids_cannot_smuggle_a_path_in() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        names.format_name(OFFER, organization="a/offers/x", offer="b")


def test_a_repeated_request_creates_the_same_id() -> None:
    first = names.derived_id("organizations/a", "r1")
    assert first == names.derived_id("organizations/a", "r1")
    assert first != names.derived_id("organizations/b", "r1")
    assert names.derived_id("organizations/a", "") != names.derived_id("organizations/a", "")


@given(
    fields=st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=20), max_size=4),
    filter_=st.text(max_size=20),
)
def test_a_page_token_gives_back_what_was_put_in(
    fields: dict[str, int | str], filter_: str
) -> None:
    assert paging.decode(paging.encode(fields, filter_), filter_) == fields


def test_the_first_page_has_no_token() -> None:
    assert paging.decode("", "f") == {}


@pytest.mark.parametrize("token", ["x", "AAAA", "é", paging.encode({"after": "b"}, "other")])
def test_a_token_of_another_filter_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        paging.decode(token, "f")
    assert caught.value.reason == reason_pb2.REASON_PAGE_TOKEN_INVALID


def test_a_token_is_bound_to_all_of_a_request_but_its_page() -> None:
    request = registry_service_pb2.ListOffersRequest(parent="organizations/a", page_size=5)
    bound = paging.bound_to(request)
    request.page_size, request.page_token = 7, "x"
    assert paging.bound_to(request) == bound
    request.parent = "organizations/b"
    assert paging.bound_to(request) != bound


def _listed(request: registry_service_pb2.ListOffersRequest) -> tuple[list[int], str]:
    page = paging.Page.of(request, default=2)
    first = int(page.start.get("first", 0))
    numbers = list(range(first, min(first + page.size, 5)))
    return numbers, page.following(first=first + page.size) if first + page.size < 5 else ""


@pytest.mark.parametrize(("size", "calls"), [(0, 3), (2, 3), (4, 2), (5, 1), (9, 1)])
async def test_pages_are_followed_to_the_end(size: int, calls: int) -> None:
    found: list[list[int]] = []

    async def call(
        request: registry_service_pb2.ListOffersRequest,
    ) -> registry_service_pb2.ListOffersResponse:
        numbers, token = _listed(request)
        found.append(numbers)
        return registry_service_pb2.ListOffersResponse(next_page_token=token)

    request = registry_service_pb2.ListOffersRequest(parent="organizations/a", page_size=size)
    answers = [answer async for answer in paging.pages(call, request)]
    assert len(answers) == calls
    assert [number for numbers in found for number in numbers] == list(range(5))


def test_nobody_goes_on_from_the_page_of_another_reader() -> None:
    request = registry_service_pb2.ListOffersRequest(parent="organizations/-")
    request.page_token = paging.Page.of(request, reader="organizations/a").following(first=2)
    assert paging.Page.of(request, reader="organizations/a").start == {"first": 2}
    with pytest.raises(InvalidArgument):
        paging.Page.of(request, reader="organizations/b")
