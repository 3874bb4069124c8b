"""The documentation is true: what it names exists, and what must be named is named."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from google.longrunning import operations_pb2
from typer.core import TyperGroup

from cli.__main__ import app
from deploy.local.settings import StackSettings
from services.gateway.settings import GatewaySettings
from services.matching.settings import MatchingSettings
from services.registry.settings import RegistrySettings
from spareline.errors.v1 import reason_pb2
from spareline.matching.v1 import matching_service_pb2, policy_pb2
from spareline.registry.v1 import (
    calendar_service_pb2,
    dead_letter_service_pb2,
    identity_service_pb2,
    ledger_service_pb2,
    mail_service_pb2,
    market_data_service_pb2,
    registry_service_pb2,
    taxonomy_service_pb2,
    webhook_service_pb2,
)

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
SETTINGS = (RegistrySettings, MatchingSettings, GatewaySettings, StackSettings)
SERVICES = (
    calendar_service_pb2,
    dead_letter_service_pb2,
    identity_service_pb2,
    registry_service_pb2,
    ledger_service_pb2,
    mail_service_pb2,
    market_data_service_pb2,
    matching_service_pb2,
    taxonomy_service_pb2,
    webhook_service_pb2,
    operations_pb2,
)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MAKE = re.compile(r"\bmake ([a-z0-9]+(?:-[a-z0-9]+)*)")
_VARIABLE = re.compile(r"\bSPARELINE_[A-Z0-9_]+\b")
_COMMAND = re.compile(r"(?:^|[`( /])spareline ((?:[a-z][a-z-]*|--[a-z-]+)(?: [^\n`|#>)]*)?)", re.M)
_PATH = re.compile(
    r"`((?:services|cli|deploy|protos|tests|docs|benchmarks|requirements)/[\w./-]*[\w/])`"
)
_RPC = re.compile(
    r"`((?:Get|List|Create|Update|Delete|Search|Withdraw|Import|Stream|Batch|Check|Run|Watch|"
    r"Cancel|Verify|Accept|Decline|Counter|Report|Resolve|Activate|Issue|Revoke|Sign|Erase|"
    r"Contest|Change|Who)[A-Z]\w+)`"
)
_REASON = re.compile(r"\bREASON_[A-Z_]+\b")


@cache
def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _code(page: Path) -> str:
    return "\n".join(_CODE.findall(_text(page)))


def _slug(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_slug(found) for found in re.findall(r"^#+ (.+)$", _text(page), re.M)}


@pages
def test_every_link_resolves(page: Path) -> None:
    broken = []
    for target in _LINK.findall(_text(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


@pages
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.M))
    assert set(_MAKE.findall(_code(page))) - targets == set()


def _variables_of_settings() -> set[str]:
    return {f"SPARELINE_{name.upper()}" for each in SETTINGS for name in each.model_fields}


@cache
def _variables_of_sources() -> frozenset[str]:
    found: set[str] = set()
    kept = ("*.py", "*.yaml", "*.example")
    files = [
        f for top in ("cli", "deploy", "tests") for kind in kept for f in (ROOT / top).rglob(kind)
    ]
    for file in (*files, ROOT / "Makefile"):
        if file != Path(__file__).resolve():
            found |= set(_VARIABLE.findall(file.read_text(encoding="utf-8")))
    return frozenset(found)


@pages
def test_every_variable_exists(page: Path) -> None:
    known = _variables_of_settings() | _variables_of_sources()
    assert set(_VARIABLE.findall(_text(page))) - known == set()


def test_every_setting_is_documented() -> None:
    table = set(re.findall(r"^\| `(SPARELINE_\w+)` \|", _text(ROOT / "docs" / "operator.md"), re.M))
    assert table == _variables_of_settings()


def test_every_weight_is_documented() -> None:
    fields = {field.name for field in policy_pb2.Policy.DESCRIPTOR.fields}
    told = set(re.findall(r"`(\w+)`", _text(ROOT / "docs" / "operator.md")))
    known_by_all = {"name", "version", "display_name", "active", "create_time", "etag"}
    assert fields - told - known_by_all == set()


def _walk(words: list[str]) -> str:
    """What is wrong with a command as written, or nothing."""
    command: Any = typer.main.get_command(app)
    flags: set[str] = {"--help"}
    while True:
        flags |= {name for parameter in command.params for name in parameter.opts}
        if not (isinstance(command, TyperGroup) and words) or words[0].startswith("-"):
            break
        step = command.commands.get(words[0])
        if step is None:
            return f"there is no command {words[0]}"
        command, words = step, words[1:]
    wrong = [word for word in words if word.startswith("-") and word.split("=")[0] not in flags]
    return f"no such option: {wrong}" if wrong else ""


@pages
def test_every_command_exists(page: Path) -> None:
    wrong = {}
    for found in _COMMAND.findall(_code(page)):
        if fault := _walk(found.split()):
            wrong[found] = fault
    assert wrong == {}


@pages
def test_every_path_exists(page: Path) -> None:
    named = set(_PATH.findall(_text(page)))
    assert {path for path in named if not (ROOT / path).exists()} == set()


def _methods() -> Iterator[str]:
    for file in SERVICES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from (method.name for method in service.methods)


@pages
def test_every_rpc_and_reason_exists(page: Path) -> None:
    assert set(_RPC.findall(_text(page))) - set(_methods()) == set()
    assert set(_REASON.findall(_text(page))) - set(reason_pb2.Reason.keys()) == set()


@pages
def test_every_python_block_is_python(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", _text(page), re.S):
        ast.parse(block)


def test_the_checks_would_find_what_is_wrong() -> None:
    assert _walk(["round", "run", "--what-if"]) == ""
    assert _walk(["round", "walk"]) == "there is no command walk"
    assert "--whatif" in _walk(["round", "run", "--whatif"])
    assert _COMMAND.findall("`spareline ledger check`") == ["ledger check"]
    assert _RPC.findall("`RunRounds` and `RunRound`") == ["RunRounds", "RunRound"]
    assert _MAKE.findall("`make demo-clean`") == ["demo-clean"]
