"""`python -m deploy.local run`: the whole market on this machine; `demo-clean`: its data gone."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from pydantic import ValidationError

from deploy.local.clean import clean
from deploy.local.problems import StackError
from deploy.local.run import run
from deploy.local.screen import Screen
from deploy.local.settings import StackSettings, variable


def main() -> int:
    """Do what the command line asks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("command", choices=("run", "demo-clean"))
    parser.add_argument("--var", type=Path, help="data directory (default: SPARELINE_VAR or var)")
    parser.add_argument("--no-sample", action="store_true", help="leave an empty market empty")
    parser.add_argument(
        "--servers-only", action="store_true", help="run NATS and the store, not the services"
    )
    given = parser.parse_args()
    screen = Screen()
    try:
        settings = StackSettings()
    except ValidationError as error:
        for found in error.errors(include_input=False, include_url=False):
            screen.problem(f"{variable(str(found['loc'][0]))} is wrong: {found['msg']}")
        return 78
    changes: dict[str, object] = {}
    if given.var is not None:
        changes["var"] = given.var
    if given.no_sample:
        changes["sample"] = False
    settings = settings.model_copy(update=changes)
    try:
        if given.command == "demo-clean":
            clean(settings, screen)
            return 0
        return asyncio.run(run(settings, screen, services=not given.servers_only))
    except StackError as error:
        screen.problem(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
