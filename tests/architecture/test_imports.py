"""The walls between the parts hold: the contracts of pyproject.toml's [tool.importlinter]."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_import_contracts_hold() -> None:
    # A process of its own: in the first test of a worker its console closes what pytest captures.
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_one_module_imports_motor() -> None:
    users = []
    for folder in ("services", "cli", "deploy"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
                if any(name.split(".")[0] == "motor" for name in names):
                    users.append(str(path.relative_to(ROOT)))
    assert sorted(set(users)) == ["services/chassis/mongo.py"]


def test_the_chassis_knows_no_noun_of_the_market() -> None:
    nouns = ("spareline.market", "spareline.registry", "spareline.matching", "spareline.events")
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "services" / "chassis").rglob("*.py")
        if any(noun in path.read_text() for noun in nouns)
    ]
    assert found == []


def test_no_module_is_too_long_to_read() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for folder in ("services", "cli", "deploy", "protos")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    ]
    assert long == []


@pytest.mark.parametrize("service", ["registry", "matching", "gateway"])
def test_main_is_a_few_lines(service: str) -> None:
    assert len((ROOT / "services" / service / "__main__.py").read_text().splitlines()) <= 25
