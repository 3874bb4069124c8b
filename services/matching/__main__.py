"""Runs matching; with ``--worker`` only a worker, which solves parts of rounds for others."""

import argparse

from services.chassis.app import App, main
from services.chassis.settings import load
from services.matching.settings import MatchingSettings
from services.matching.work.app import build_worker
from services.matching.work.settings import WorkerSettings


async def _serve(app: App, settings: MatchingSettings) -> None:
    from services.matching.app import build  # a worker has no use for it

    await build(app, settings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m services.matching", description=__doc__)
    parser.add_argument("--worker", action="store_true", help="solve parts of rounds, no more")
    if parser.parse_args().worker:
        main("matching-worker", load(WorkerSettings), build_worker)
    main("matching", load(MatchingSettings), _serve)
