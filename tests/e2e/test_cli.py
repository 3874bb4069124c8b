"""The command line against a real market: files in and out, a round, answers, refusals."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from google.type.latlng_pb2 import LatLng

from deploy.local.free_ports import free_ports
from deploy.local.stack import Stack
from services.chassis.dead_letters import HEADER_REASON, HEADER_SUBJECT
from services.chassis.grpc_client import channel
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import identity_service_pb2 as identity
from spareline.registry.v1 import identity_service_pb2_grpc as identity_grpc

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.thorough,
    pytest.mark.asyncio(loop_scope="module"),
]

PASSWORD = "a long password"
MILLING = "production.machining.milling.5-axis"


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Terminal:
    """Somebody at a terminal, with a configuration folder of their own."""

    stack: Stack
    home: Path
    key: str = ""

    async def __call__(self, *arguments: str, stdin: str = "", patience: float = 120.0) -> Ran:
        environment = {
            **{name: value for name, value in os.environ.items() if "SPARELINE" not in name},
            "SPARELINE_REGISTRY_ADDRESS": self.stack.registry_address,
            "SPARELINE_MATCHING_ADDRESS": self.stack.matching_address,
            "SPARELINE_API_KEY": self.key,
            "XDG_CONFIG_HOME": str(self.home),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "cli", *arguments),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(patience):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return Ran(process.returncode, out.decode(), err.decode())

    async def done(self, *arguments: str) -> Ran:
        ran = await self(*arguments)
        assert ran.code == 0, ran.err + ran.out
        return ran


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack(tmp_path_factory.mktemp("var")) as running:
        async with channel(running.registry_address) as anonymous:
            stub = identity_grpc.IdentityServiceStub(anonymous)
            for name, latitude in (("workshop", 30.2), ("buyer", 31.3)):
                await stub.SignUp(
                    identity.SignUpRequest(
                        organization_id=name,
                        organization=Organization(
                            display_name=name.title(),
                            region="CN-ZJ",
                            location=LatLng(latitude=latitude, longitude=120.5),
                        ),
                        email=f"{name}@cli.example",
                        person="Li",
                        password=PASSWORD,
                    )
                )
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workshop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return await signed_in(stack, tmp_path_factory.mktemp("workshop"), "workshop@cli.example")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def buyer(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return await signed_in(stack, tmp_path_factory.mktemp("buyer"), "buyer@cli.example")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    home = tmp_path_factory.mktemp("operator")
    password = stack.credentials.operator_password
    return await signed_in(stack, home, stack.settings.operator_email, password)


async def signed_in(stack: Stack, home: Path, email: str, password: str = PASSWORD) -> Terminal:
    terminal = Terminal(stack, home)
    await terminal.done("sign-in", email, "--password", password)
    return terminal


async def test_a_session_is_private_rotates_and_ends(stack: Stack, tmp_path: Path) -> None:
    terminal = Terminal(stack, tmp_path)
    assert (await terminal("whoami")).code == 1
    wrong = await terminal("sign-in", "buyer@cli.example", stdin="wrong\n")
    assert wrong.code == 1
    assert "do not fit" in wrong.err
    assert (await terminal("sign-in", "buyer@cli.example", stdin=f"{PASSWORD}\n")).code == 0
    file = tmp_path / "spareline" / "session.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (await terminal.done("whoami", "--json")).json[0]["organization"] == (
        "organizations/buyer"
    )
    kept = json.loads(file.read_text())
    session = kept[stack.registry_address]
    session["expires"] = 0
    file.write_text(json.dumps(kept))
    # Two at once need the same refresh token; the second must not look like a thief.
    first, second = await asyncio.gather(terminal("whoami"), terminal("whoami"))
    assert (first.code, second.code) == (0, 0)
    assert (
        json.loads(file.read_text())[stack.registry_address]["refresh_token"]
        != (session["refresh_token"])
    )
    await terminal.done("sign-out")
    assert (await terminal("whoami")).code == 1


async def test_from_a_template_to_a_confirmed_proposal(
    workshop: Terminal, buyer: Terminal, operator: Terminal, tmp_path: Path
) -> None:
    offers, demands = tmp_path / "offers.csv", tmp_path / "demands.csv"
    template = await workshop.done("template", "offers", "--capability", MILLING)
    offers.write_text(template.out.replace("my-firm", "workshop"))
    template = await buyer.done("template", "demands", "--capability", MILLING)
    demands.write_text(template.out.replace("my-firm", "buyer"))
    checked = await workshop.done("import", str(offers), "--check")
    assert "nothing was posted" in checked.out
    assert "1 of 1 rows were posted" in (await workshop.done("import", str(offers))).out
    assert "1 were there already" in (await workshop.done("import", str(offers))).out
    await buyer.done("import", str(demands))

    assert (await buyer("round", "run")).code == 1  # only operators run rounds
    what_if = await operator.done("round", "run", "--what-if", "--json")
    assert what_if.json[0]["what_if"] is True
    ran = await operator.done("round", "run", "--seed", "7", "--json")
    name = str(ran.json[0]["name"])
    assert ran.json[0]["seed"] == "7"
    verified = await operator.done("round", "verify", name, "--replay")
    assert "✗" not in verified.out

    [waiting] = (await buyer.done("proposals", "list", "--awaiting", "--json")).json
    proposal = str(waiting["name"])
    assert "by whom" not in (await buyer.done("proposals", "show", proposal)).out
    assert (await operator("proposals", "accept", proposal)).code == 2
    await buyer.done("proposals", "counter", proposal, "--leg", "0:price=9000", "--note", "less?")
    await workshop.done("proposals", "accept", proposal, "--counter")
    await workshop.done("proposals", "accept", proposal)
    several = await buyer("proposals", "accept", f"{proposal}-none", proposal)
    assert several.code == 1
    assert "There is no proposal" in several.err
    assert f"{proposal} is confirmed" in several.out
    [confirmed] = (await buyer.done("proposals", "list", "--state", "confirmed", "--json")).json
    assert confirmed["legs"][0]["unit_price"] == "9000"  # type: ignore[index]
    await buyer.done("proposals", "report", proposal, "fulfilled")
    assert "fulfilled" in (await workshop.done("proposals", "report", proposal, "fulfilled")).out
    assert "no breaches" in (await operator.done("ledger", "check")).out


async def test_export_and_import_are_each_others_inverse(
    workshop: Terminal, buyer: Terminal, tmp_path: Path
) -> None:
    for terminal, kind in ((workshop, "offers"), (buyer, "demands")):
        own = tmp_path / f"{kind}.csv"
        template = await terminal.done(
            "template", kind, "--capability", "research.industrial-design"
        )
        who = "workshop" if kind == "offers" else "buyer"
        own.write_text(template.out.replace("my-firm", who).replace("/first", "/round-trip"))
        await terminal.done("import", str(own))
        for ending in ("csv", "jsonl"):
            file = tmp_path / f"{kind}-out.{ending}"
            await terminal.done("export", "--kind", kind, "-o", str(file))
            again = await terminal.done("import", str(file))
            assert "0 of" in again.out
            assert "were there already" in again.out


async def test_bad_rows_are_told_by_number_field_and_mend(
    workshop: Terminal, tmp_path: Path
) -> None:
    template = await workshop.done(
        "template", "offers", "--capability", MILLING, "--format", "jsonl"
    )
    good = json.loads(template.out)

    def row(ident: str, **changes: object) -> str:
        name = f"organizations/workshop/offers/{ident}"
        return json.dumps({**good, "name": name, **changes})

    lines = [
        row("fine"),
        "{oops",
        row("no-attributes", attributes={}),
        row("unknown", capability="production.magic"),
        row("fine"),
        json.dumps({**good, "name": "organizations/buyer/offers/foreign"}),
        row("bad-week", capacity=[{"period": "2026-W77", "quantity": "1"}]),
    ]
    file = tmp_path / "bad.jsonl"
    file.write_text("\n".join(lines))
    refused = await workshop("import", str(file))
    assert refused.code == 1
    assert "nothing was posted" in refused.out
    for number in range(2, 8):
        assert any(line.startswith(f"│{number:>4} │") for line in refused.out.splitlines())
    exported = (await workshop.done("export", "--kind", "offers")).out
    assert "offers/fine" not in exported
    posted = await workshop("import", str(file), "--good-only")
    assert posted.code == 1
    assert "1 of 7 rows were posted" in posted.out
    assert "offers/fine" in (await workshop.done("export", "--kind", "offers")).out


async def test_policies_are_read_changed_and_activated(operator: Terminal, tmp_path: Path) -> None:
    shown = (await operator.done("policy", "show")).out
    assert "name: policies/standard" in shown
    file = tmp_path / "policy.yaml"
    file.write_text(shown.replace("fairness_permille: 100", "fairness_permille: 250"))
    assert "version 2" in (await operator.done("policy", "update", "-f", str(file))).out
    stale = await operator("policy", "update", "-f", str(file))
    assert stale.code == 1  # its etag is that of version 1
    await operator.done("policy", "create", "fair", "-f", str(file))
    await operator.done("policy", "activate", "fair")
    names = {each["name"] for each in (await operator.done("policy", "list", "--json")).json}
    assert names == {"policies/standard", "policies/fair"}
    await operator.done("policy", "activate", "standard")


async def test_dead_letters_are_listed_replayed_and_dropped(
    stack: Stack, operator: Terminal, workshop: Terminal
) -> None:
    bus = await nats.connect(stack.nats_url)
    for subject in ("market.offer.posted.v1", "market.offer.posted.v1", ""):
        headers = {HEADER_SUBJECT: subject, HEADER_REASON: "made by a test"}
        await bus.jetstream().publish("dead.registry-credit", b"no event", headers=headers)
    await bus.drain()
    found = (await operator.done("dead-letters", "list", "--json")).json
    assert [each["consumer"] for each in found] == ["registry-credit"] * 3
    first, second, _ = (str(each["name"]).removeprefix("deadLetters/") for each in found)
    assert (await operator("dead-letters", "drop")).code == 1  # not said which
    assert "once more" in (await operator.done("dead-letters", "replay", first)).out
    dropped = await operator.done("dead-letters", "drop", "--consumer", "registry-credit")
    assert f"deadLetters/{second} is thrown away" in dropped.out
    again = await operator("dead-letters", "replay", second)
    assert (again.code, f"There is no deadLetters/{second}" in again.err) == (1, True)


async def test_why_a_demand_was_not_matched(
    buyer: Terminal, operator: Terminal, tmp_path: Path
) -> None:
    template = await buyer.done("template", "demands", "--capability", MILLING)
    file = tmp_path / "cheap.csv"
    row = template.out.replace("my-firm", "buyer").replace("/first", "/cheap")
    file.write_text(row.replace(",240,", ",190,"))  # the limit price
    await buyer.done("import", str(file))
    await operator.done("round", "run")
    told = await buyer.done("explain", "organizations/buyer/demands/cheap")
    assert "price plus transport is above the limit" in told.out
    assert "limit price" in told.out
    foreign = await buyer("explain", "organizations/workshop/offers/first")
    assert foreign.code == 1


async def test_watch_goes_on_where_it_was_left(buyer: Terminal, tmp_path: Path) -> None:
    keep = tmp_path / "seen"
    for expected in (True, False):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "cli", "watch", "--keep", str(keep), "--json"),
            env={
                **os.environ,
                "SPARELINE_REGISTRY_ADDRESS": buyer.stack.registry_address,
                "SPARELINE_MATCHING_ADDRESS": buyer.stack.matching_address,
                "XDG_CONFIG_HOME": str(buyer.home),
                "PYTHONUNBUFFERED": "1",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), 10 if expected else 4)
            assert expected
            assert json.loads(line)["name"].startswith("rounds/")
            async with asyncio.timeout(10):
                while not keep.exists():  # noqa: ASYNC110 - a file sends no events
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1)
        except TimeoutError:
            assert not expected
        finally:
            process.terminate()
            await process.wait()


async def test_what_does_not_answer_and_what_makes_no_sense(stack: Stack, tmp_path: Path) -> None:
    nobody = Terminal(stack, tmp_path, key="sl_nothing")
    assert (await nobody("whoami")).code == 1
    [port] = free_ports(1)
    away = await nobody("--registry", f"127.0.0.1:{port}", "whoami")
    assert away.code == 3
    assert "does not answer" in away.err
    assert (await nobody("import", str(tmp_path / "none.csv"))).code == 2
    strange = tmp_path / "file.txt"
    strange.write_text("x")
    assert (await nobody("import", str(strange))).code == 2
