"""Runs the registry: ``python -m services.registry``."""

from services.chassis import app, settings
from services.chassis.app import App
from services.registry.app import build
from services.registry.settings import RegistrySettings


async def serve(running: App, given: RegistrySettings) -> None:
    """Open and serve everything."""
    await build(running, given)


if __name__ == "__main__":
    app.main("registry", settings.load(RegistrySettings), serve)
