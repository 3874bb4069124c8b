"""Programs that were installed beside this Python."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.local.problems import StackError


def executable(name: str) -> str:
    """The full path of an installed program.

    Raises:
        StackError: it is not installed.
    """
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise StackError(f"{name} is not installed beside {sys.executable}. Run: make setup")
    return str(path)
