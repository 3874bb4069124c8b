"""Removing a market's data, never under a running stack."""

from __future__ import annotations

import shutil

from deploy.local.claim import claim
from deploy.local.layout import layout_of
from deploy.local.orphans import end_orphans
from deploy.local.problems import StackError
from deploy.local.screen import Screen
from deploy.local.settings import StackSettings

_OWN = ("data", "secrets", "logs")


def clean(settings: StackSettings, screen: Screen) -> None:
    """Remove what the stack keeps in its data directory; what it did not make stays.

    Raises:
        AlreadyRunning: the stack runs.
        StackError: the directory is not one of a stack.
    """
    layout = layout_of(settings.var)
    if not layout.root.exists():
        screen.say(f"There is no data: {layout.root} does not exist.")
        return
    if not layout.run.is_dir():
        raise StackError(f"{layout.root} is not the data directory of a stack; nothing is removed.")
    with claim(layout, purpose="demo-clean"):
        # A launcher that was killed may have left servers that still write.
        end_orphans(layout.stack_id())
        for name in _OWN:
            shutil.rmtree(layout.root / name, ignore_errors=True)
        for file in layout.run.iterdir():
            if file != layout.lock:
                file.unlink()
    screen.say(f"The market's data in {layout.root} is removed.")
