"""The launcher as a process of its own, as `make run` starts it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.free_ports import settings_on_free_ports
from deploy.local.layout import layout_of
from deploy.local.orphans import marked_processes
from deploy.local.settings import StackSettings, variable


def left_of(var: Path) -> list[int]:
    """The processes of the stack on this data directory that still run."""
    return [process.pid for process in marked_processes(layout_of(var).stack_id())]


@contextmanager
def launcher(
    var: Path, *arguments: str, settings: StackSettings | None = None
) -> Iterator[subprocess.Popen[str]]:
    """`python -m deploy.local …` on free ports, or on those of `settings`."""
    chosen = settings or settings_on_free_ports(var)
    ports = {
        variable(name): str(value) for name, value in chosen.model_dump().items() if "_port" in name
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.local", *arguments, "--var", str(var)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **ports, "COLUMNS": "200"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What the process has said, up to the first line with these words."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without saying {words!r}:\n{said}")
