"""The first moment of every process of the stack, before it becomes the program itself.

Run as `python -m deploy.local.child NAME` in the folder where `NAME.json` lies. It binds the
process's life to its parent's, ends what an earlier one of the same name left behind, and then
replaces itself by the program, so that the supervisor watches the program's own pid.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

from deploy.local.orphans import end_processes, marked_processes
from deploy.local.program import Program

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the parent dies, where the kernel can do that (Linux).

    So nothing outlives a launcher or a supervisor that was ended with kill -9. Elsewhere the next
    start ends what it finds.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        return
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(1)


def become(name: str) -> None:
    """Replace this process by the program `name`; returns only by an exception."""
    parent = os.getppid()
    program = Program.from_json(json.loads(Path(f"{name}.json").read_text()))
    die_with_parent(parent)
    stack_id = program.environment["SPARELINE_STACK_ID"]
    # A program that was killed may have left workers of its own, which would hold its port.
    left = marked_processes(stack_id, program=name, but=os.getpid())
    end_processes(left, patience=0.0)
    os.umask(0o077)  # whatever it writes is for its owner alone
    environment = {**os.environ, **program.environment}
    os.execve(program.command[0], list(program.command), environment)  # noqa: S606


if __name__ == "__main__":
    become(sys.argv[1])
