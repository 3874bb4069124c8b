"""Keeping meanings ready: off the event loop, anew after an edit, and never in anybody's way."""

from __future__ import annotations

import asyncio
import platform
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.chassis.app import App
from services.registry import app, language_model
from services.registry.domain.meaning import TALK, Nearness, Vector
from services.registry.domain.taxonomy import Taxonomy
from services.registry.settings import RegistrySettings
from services.registry.usecases.meanings import Meanings

WORDS = ("casting", "forging", "welding")
NODE = {
    "name": {"en": "Production", "zh": "生产"},
    "unit": {
        "code": "h",
        "name": {"en": "hour", "zh": "小时"},
        "plural": "hours",
        "resolution": "1",
    },
    "ships": False,
}


class Spelling:
    """A model for which a text means the words that it has."""

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.threads: set[str] = set()
        self.free = threading.Event()
        self.free.set()

    def query(self, text: str) -> Vector:
        self.free.wait(5)
        return self._vector(text)

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        return np.stack([self._vector(each) for each in texts])

    def _vector(self, text: str) -> Vector:
        self.threads.add(threading.current_thread().name)
        made = np.array([*(word in text.lower() for word in WORDS), 0.1], np.float32)
        return made / np.linalg.norm(made)


def taxonomy(*words: str) -> Taxonomy:
    nodes = {f"p.{w}": {"name": {"en": w.title(), "zh": f"{w} 中"}} for w in words}
    return Taxonomy({}).extended({"p": NODE, **nodes})


@asynccontextmanager
async def kept(
    load: Callable[[], Spelling], current: Callable[[], Taxonomy], wait: float = 2.0
) -> AsyncIterator[Meanings]:
    meanings = Meanings(load, follow_seconds=0.01, wait_seconds=wait)
    keeping = asyncio.create_task(meanings.keep(current))
    try:
        yield meanings
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await meanings.close()


async def until(meanings: Meanings, words: str, code: str) -> Nearness:
    """Wait until a text means a code."""
    async with asyncio.timeout(5):
        while True:
            near = await meanings.nearness(words)
            if near is not None and next(iter(near.close()), "") == code:
                return near
            await asyncio.sleep(0.01)


async def test_an_edit_gives_vectors_to_what_is_new_only() -> None:
    model, now = Spelling(), [taxonomy("casting", "forging")]
    async with kept(lambda: model, lambda: now[0]) as meanings:
        assert await meanings.nearness("a casting") is None, "nothing waits for the model"
        await until(meanings, "a casting", "p.casting")
        assert len(model.embedded) == 2 * (2 + len(TALK))
        now[0] = taxonomy("casting", "welding")
        near = await until(meanings, "some welding", "p.welding")
        assert set(near.standouts) == {"p.casting", "p.welding"}
        assert model.embedded[-2:] == ["Welding / welding 中", "welding 中"]
        assert len(model.embedded) == 2 * (3 + len(TALK))
    assert all(name.startswith("meaning") for name in model.threads), "the loop stays free"


async def test_a_search_does_not_wait_for_a_slow_model() -> None:
    model, known = Spelling(), taxonomy("casting")
    async with kept(lambda: model, lambda: known, wait=0.05) as meanings:
        await until(meanings, "a casting", "p.casting")
        model.free.clear()
        assert await meanings.nearness("a casting") is None
        model.free.set()
        await until(meanings, "a casting", "p.casting")


async def test_without_a_model_that_loads_words_alone_are_searched() -> None:
    def load() -> Spelling:
        raise OSError("no such file")

    async with kept(load, lambda: taxonomy("casting")) as meanings:
        await asyncio.sleep(0.05)
        assert await meanings.nearness("a casting") is None


@pytest.mark.parametrize("wanted", [True, False])
async def test_meaning_is_used_where_it_is_wanted_and_installed(
    wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARELINE_MEANING", str(wanted))
    settings = RegistrySettings.model_validate(
        {"mongo_url": "x", "nats_url": "x", "grpc_port": 0, "signing_key_file": "x"}
    )
    async with App("registry") as running:
        made = app._meanings(running, settings)
    assert (made is not None) is (wanted and not language_model.missing())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "PACKAGE", "not_to_be_had")
    assert language_model.missing() == "not_to_be_had is not installed"


def test_a_processor_that_the_package_is_not_made_for_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("flags : sse4_2 avx\n")
    monkeypatch.setattr(language_model, "PACKAGE", "numpy")
    monkeypatch.setattr(language_model, "_CPU", cpu)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert "AVX2" in language_model.missing()
    cpu.write_text("flags : sse4_2 avx avx2\n")
    assert language_model.missing() == ""
