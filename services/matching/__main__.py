"""Runs matching: ``python -m services.matching``."""

from services.chassis.app import App, main
from services.chassis.settings import load
from services.matching.app import build
from services.matching.settings import MatchingSettings


async def _serve(app: App, settings: MatchingSettings) -> None:
    await build(app, settings)


if __name__ == "__main__":
    main("matching", load(MatchingSettings), _serve)
