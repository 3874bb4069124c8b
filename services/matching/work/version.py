"""Which engine this is: only the same one is sure to give the same answer, byte for byte."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from services.matching import engine

_LIBRARIES = ("ortools", "numpy", "numba", "llvmlite")


@cache
def engine_version() -> str:
    """A digest of the engine's sources, its libraries, the interpreter and the processor's kind."""
    folder = Path(engine.__file__).parent
    told = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        told.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes() + b"\0")
    for library in _LIBRARIES:
        told.update(f"{library} {metadata.version(library)}\0".encode())
    told.update(f"{platform.python_version()} {platform.machine()}".encode())
    return told.hexdigest()[:16]


def durable() -> str:
    """The durable from which workers of this version take."""
    return f"matching-work-{engine_version()}"
