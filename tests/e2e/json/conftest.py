"""One market with its JSON API for all of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import json_api
from tests.e2e.json_api import Place


@pytest.fixture(scope="package")
def place() -> Iterator[Place]:
    with json_api.running() as running:
        yield running
