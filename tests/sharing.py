"""Which test files run in one process because they share a market that takes long to start."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

FOLDERS: Final = ("tests/browser/", "tests/e2e/json/", "tests/e2e/registry/")
"""Their fixtures of scope "package" are made once, and not once by each process."""


class BySharedMarket(LoadFileScheduling):  # type: ignore[misc]
    """Gives each process of pytest-xdist whole files, and these folders whole."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return next((folder for folder in FOLDERS if file.startswith(folder)), file)
