"""The sample market against real services: it loads, loads again, carries on, and clears."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy import sample
from deploy.sample import files, people, terms
from services.chassis import grpc_client
from spareline.market.v1 import organization_pb2
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1 import round_pb2
from spareline.registry.v1 import identity_service_pb2 as ids
from spareline.registry.v1 import identity_service_pb2_grpc
from spareline.registry.v1 import registry_service_pb2 as reg
from tests.e2e import matching_market
from tests.e2e.matching_market import OPERATOR, Actor, Market

pytestmark = [pytest.mark.e2e, pytest.mark.thorough]

DEMO_PASSWORD = "demo-password-of-the-test"
OFFERS, DEMANDS, ORGANIZATIONS = files.offers(), files.demands(), files.organizations()


@pytest_asyncio.fixture
async def market(tmp_path: Path) -> AsyncIterator[Market]:
    async with matching_market.running(tmp_path) as running:
        await matching_market.quiet_policy(await running.operator())
        yield running


def _silent(_what: str, _done: int, _total: int) -> None:
    return


async def load(market: Market, progress: sample.Progress = _silent) -> sample.LoadReport:
    return await sample.load(
        f"127.0.0.1:{market.registry_port}",
        f"127.0.0.1:{market.matching_port}",
        *OPERATOR,
        DEMO_PASSWORD,
        progress,
    )


async def book(actor: Actor) -> matching.BookSummary:
    answer: matching.BookSummary = await actor.matching.GetBook(
        matching.GetBookRequest(with_digest=True)
    )
    return answer


class _PowerCut(Exception):  # noqa: N818
    """Ends a load in the middle."""


def _cut_at(what: str, least: int) -> sample.Progress:
    def progress(step: str, done: int, _total: int) -> None:
        if step == what and done >= least:
            raise _PowerCut

    return progress


async def test_it_loads_is_carried_on_when_cut_off_and_again_changes_nothing(
    market: Market,
) -> None:
    whole = len(ORGANIZATIONS) + 1 + len(OFFERS) + len(DEMANDS)
    for what, least in (("organizations", 20), ("offers", 50), ("demands", 50)):
        with pytest.raises(_PowerCut):
            await load(market, _cut_at(what, least))

    told: list[tuple[str, int, int]] = []
    report = await load(market, lambda *step: told.append(step))
    assert report.errors == ()
    assert (report.offers, report.demands) == (len(OFFERS), len(DEMANDS))
    assert report.organizations == len(ORGANIZATIONS) + 1
    assert 0 < report.new < whole
    assert all(0 <= done <= total for _, done, total in told)

    operator = await market.operator()
    await matching_market.book_has(operator, len(OFFERS), len(DEMANDS))
    before = await book(operator)
    again = await load(market)
    assert (again.new, again.errors, again.api_key) == (0, (), "")
    assert (again.offers, again.demands) == (report.offers, report.demands)
    after = await book(operator)
    assert after.digest == before.digest
    assert after.stream_sequence == before.stream_sequence, "the second load published something"


async def test_it_loads_people_sign_in_and_a_round_serves_most(market: Market) -> None:
    told: list[tuple[str, int, int]] = []
    report = await load(market, lambda *step: told.append(step))
    assert report.errors == ()
    assert report.new == report.organizations + report.offers + report.demands
    assert {what for what, _, _ in told} == {"organizations", "offers", "demands", "book"}
    assert told[-1] == ("book", len(OFFERS), len(OFFERS))
    await _everybody_gets_in(market, report)

    operator = await market.operator()
    await matching_market.book_has(operator, len(OFFERS), len(DEMANDS))
    ended = await matching_market.clear(operator)
    assert ended.state == round_pb2.Round.STATE_COMPLETED, ended.failure
    assert ended.outcome.proposals_failed == 0
    assert 0.60 <= ended.outcome.proposals / len(DEMANDS) <= 0.75
    answer = await operator.matching.ListProposals(
        matching.ListProposalsRequest(parent=ended.name, page_size=1000)
    )
    served = {proposal.demand for proposal in answer.proposals}
    for entry in DEMANDS:
        if "unserved" in entry:
            assert terms.posting_name(entry["id"], "demands") not in served
    await market.check_ledger(operator)
    await _what_a_firm_changes_stays(market)


async def _everybody_gets_in(market: Market, report: sample.LoadReport) -> None:
    assert [each.organization for each in report.showcase] == [
        terms.organization(entry["id"]) for entry in ORGANIZATIONS if "sign_in" in entry
    ]
    for each in (report.platform, *report.showcase):
        actor = await market.sign_in(each.email, DEMO_PASSWORD)
        assert actor.organization == each.organization
    async with grpc_client.channel(f"127.0.0.1:{market.registry_port}") as plain:
        identity = identity_service_pb2_grpc.IdentityServiceStub(plain)
        token = await identity.IssueToken(ids.IssueTokenRequest(api_key=report.api_key))
    assert token.principal.organization == people.PLATFORM
    assert set(token.principal.scopes) == {"read", "write"}

    firm = await market.sign_in(report.showcase[0].email, DEMO_PASSWORD)
    own = await firm.registry.GetOrganization(
        reg.GetOrganizationRequest(name=report.showcase[0].organization)
    )
    assert list(own.delegates) == [people.PLATFORM]
    assert own.verification == organization_pb2.Organization.VERIFICATION_DOCUMENTS
    listed = await firm.registry.ListOffers(reg.ListOffersRequest(parent=own.name))
    posted = [
        entry["id"] for entry in OFFERS if f"organizations/{entry['id']}".startswith(own.name)
    ]
    assert len(listed.offers) == len(posted) > 0


async def _what_a_firm_changes_stays(market: Market) -> None:
    firm = await market.sign_in("wang@haijing.example", DEMO_PASSWORD)
    name = "organizations/ningbo-haijing/offers/imm-90"
    offer = await firm.registry.GetOffer(reg.GetOfferRequest(name=name))
    offer.unit_price += 100
    await firm.registry.UpdateOffer(reg.UpdateOfferRequest(offer=offer))
    assert await _by_hand(market) == 0
    kept = await firm.registry.GetOffer(reg.GetOfferRequest(name=name))
    assert kept.unit_price == offer.unit_price


async def _by_hand(market: Market) -> int:
    """Load by the command; returns its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "deploy.sample"),
        env={
            **os.environ,
            "SPARELINE_REGISTRY_ADDRESS": f"127.0.0.1:{market.registry_port}",
            "SPARELINE_MATCHING_ADDRESS": f"127.0.0.1:{market.matching_port}",
            "SPARELINE_OPERATOR_EMAIL": OPERATOR[0],
            "SPARELINE_OPERATOR_PASSWORD": OPERATOR[1],
            "SPARELINE_DEMO_PASSWORD": DEMO_PASSWORD,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert f"{len(OFFERS)} offers, {len(DEMANDS)} demands; 0 of them are new." in told.decode()
    assert "wang@haijing.example" in told.decode()
    assert process.returncode is not None
    return process.returncode
