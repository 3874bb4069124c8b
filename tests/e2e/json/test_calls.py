"""The JSON API: the same market, rules and refusals as over gRPC, and as its document tells."""

from __future__ import annotations

import json
import urllib.request
import uuid

import pytest

from tests.e2e import matching_market as mm
from tests.e2e.json_api import Place, call

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _offer(title: str = "Hours") -> dict[str, object]:
    return {
        "capability": mm.CAPABILITY,
        "title": title,
        "unitPrice": "3000",
        "capacity": [{"period": mm.week(2), "quantity": 40}],
    }


def test_a_key_becomes_a_token_that_the_api_takes(place: Place) -> None:
    made = call(
        place,
        "POST",
        "/organizations/alpha/apiKeys",
        {"displayName": "importer", "scopes": ["read", "write"]},
    )
    assert made.status == 200, made.text
    issued = call(place, "POST", "/tokens:issue", {"apiKey": made.json["secret"]}, who="")
    assert issued.status == 200
    place.tokens["key"] = issued.json["accessToken"]
    who = call(place, "GET", "/principal", who="key")
    assert who.json["organization"] == "organizations/alpha"
    assert who.json["scopes"] == ["read", "write"]


def test_an_offer_lives_its_life(place: Place) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    path = "/organizations/alpha/offers"
    posted = call(place, "POST", f"{path}?offerId=via-json", _offer(), headers=key)
    again = call(place, "POST", f"{path}?offerId=via-json", _offer(), headers=key)
    assert (posted.status, again.status) == (200, 200), posted.text
    assert again.json["name"] == posted.json["name"] == "organizations/alpha/offers/via-json"
    assert posted.json["unitPrice"] == "3000"
    assert posted.json["state"] == "STATE_OPEN"

    read = call(place, "GET", f"{path}/via-json")
    etag = read.headers["ETag"]
    assert etag == read.json["etag"]
    same = call(place, "GET", f"{path}/via-json", headers={"If-None-Match": etag})
    assert (same.status, same.text) == (304, "")

    changed = call(
        place,
        "PATCH",
        f"{path}/via-json?updateMask=unitPrice",
        {"unitPrice": 3100, "title": "Not in the mask"},
        headers={"If-Match": etag},
    )
    assert changed.status == 200, changed.text
    assert (changed.json["unitPrice"], changed.json["title"]) == ("3100", "Hours")
    late = call(
        place,
        "PATCH",
        f"{path}/via-json?updateMask=unit_price",
        {"unitPrice": 1},
        headers={"If-Match": etag},
    )
    assert (late.status, late.json["reason"]) == (412, "REASON_ETAG_MISMATCH")

    listed = call(place, "GET", f"{path}?pageSize=1&filter.states=STATE_OPEN")
    assert len(listed.json["offers"]) == 1
    assert listed.json["nextPageToken"]
    gone = call(place, "POST", f"{path}/via-json:withdraw", {})
    assert gone.json["state"] == "STATE_WITHDRAWN"
    none = call(place, "GET", "/organizations/beta/offers", who="beta")
    assert none.json == {"offers": []}


def test_an_import_answers_for_each_item(place: Place) -> None:
    good = {**_offer("In bulk"), "name": "organizations/alpha/offers/bulk"}
    bad = {**_offer(), "name": "organizations/alpha/offers/bad", "capability": "no.such"}
    answer = call(place, "POST", "/offers:import", {"offers": [good, bad], "validateOnly": True})
    assert answer.status == 200, answer.text
    assert answer.json["taken"] == "1"
    assert answer.json["errors"][0]["reason"] == "REASON_CAPABILITY_UNKNOWN"


@pytest.mark.parametrize(
    ("verb", "path", "body", "who", "status", "reason"),
    [
        ("GET", "/nowhere", None, "alpha", 404, ""),
        ("GET", "/nowhere%0A/at/all", None, "alpha", 404, ""),
        ("DELETE", "/book", None, "alpha", 405, ""),
        ("GET", "/book", None, "", 401, "REASON_UNAUTHENTICATED"),
        ("GET", "/organizations/alpha/auditEntries", None, "beta", 403, ""),
        ("GET", "/organizations/alpha/offers/none", None, "alpha", 404, "REASON_NOT_FOUND"),
        ("GET", "/rounds?pageSize=1001", None, "alpha", 400, "REASON_FIELD_INVALID"),
        ("GET", "/rounds?pageSize=many", None, "alpha", 400, "REASON_FIELD_INVALID"),
        ("GET", "/rounds?colour=red", None, "alpha", 400, "REASON_FIELD_INVALID"),
        ("POST", "/organizations/alpha/offers", b"[]", "alpha", 400, "REASON_FIELD_INVALID"),
        ("POST", "/organizations/alpha/offers", b'{"a', "alpha", 400, "REASON_FIELD_INVALID"),
        ("POST", "/organizations/alpha/offers", b"\xff", "alpha", 400, "REASON_FIELD_INVALID"),
        ("POST", "/organizations/alpha/offers", {"colour": 1}, "alpha", 400, ""),
        ("POST", "/rounds:run", {}, "alpha", 403, "REASON_ROLE_MISSING"),
    ],
)
def test_a_refusal_is_a_problem_document(
    place: Place, verb: str, path: str, body: object, who: str, status: int, reason: str
) -> None:
    answer = call(place, verb, path, body, who=who)
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["status"] == status
    assert answer.json.get("reason", "").startswith(reason)
    assert answer.headers["X-Request-Id"] == answer.json["requestId"]
    if status == 405:
        assert answer.headers["Allow"] == "GET"


def test_wrong_fields_are_named_as_json_names_them(place: Place) -> None:
    wrong = {**_offer(), "unitPrice": -1, "leadTimePeriods": -2}
    answer = call(place, "POST", "/organizations/alpha/offers", wrong)
    assert answer.status == 400
    assert "offer.unitPrice" in {each["field"] for each in answer.json["violations"]}


def test_a_session_cookie_is_worth_nothing_here(place: Place) -> None:
    answer = call(place, "GET", "/principal", who="", headers={"Cookie": "session=anything"})
    assert answer.status == 401


def test_what_is_given_as_request_id_comes_back(place: Place) -> None:
    answer = call(place, "GET", "/book", headers={"X-Request-Id": "order-4711-a"})
    assert answer.headers["X-Request-Id"] == "order-4711-a"


def test_a_body_that_is_too_large_is_refused(place: Place) -> None:
    answer = call(place, "POST", "/offers:import", b'{"a":"' + b"x" * (4 << 20) + b'"}')
    assert (answer.status, answer.json["status"]) == (413, 413)


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/event-stream"])
def test_proposals_can_be_followed(place: Place, accept: str) -> None:
    request = urllib.request.Request(
        f"{place.address}/api/v1/proposals:watch?party=organizations/alpha",
        headers={"Authorization": f"Bearer {place.tokens['alpha']}", "Accept": accept},
    )
    with urllib.request.urlopen(request, timeout=20) as stream:
        assert stream.headers["Content-Type"] == accept
        while (line := stream.readline().decode().strip()).removeprefix("data: ")[:1] != "{":
            assert len(line) < 1000
    found = json.loads(line.removeprefix("data: "))
    assert found["proposal"]["state"] == "STATE_PROPOSED"
    assert found["resumeToken"]


def test_a_stream_that_is_refused_has_its_status(place: Place) -> None:
    answer = call(place, "GET", "/proposals:watch?party=organizations/alpha", who="beta")
    assert (answer.status, answer.json["reason"]) == (403, "REASON_ORGANIZATION_FORBIDDEN")


def test_a_proposal_is_accepted(place: Place) -> None:
    names = place.names
    path = f"/rounds/{names['round']}/proposals/{names['proposal']}"
    taken = call(place, "POST", f"{path}:accept", {"party": "organizations/alpha"})
    assert taken.status == 200, taken.text
    own = next(party for party in taken.json["parties"] if party.get("own"))
    assert own["answer"] == "ANSWER_ACCEPTED"
