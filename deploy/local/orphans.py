"""Processes that a stack started, told from all others by a mark in their environment.

The mark is the data directory's random id, inherited by everything the stack starts. Unlike a
recorded pid it can't come to mean a stranger when the system gives the pid out again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil

STACK_VARIABLE = "SPARELINE_STACK_ID"
PROGRAM_VARIABLE = "SPARELINE_STACK_PROGRAM"


def marked_processes(
    stack_id: str, *, program: str | None = None, but: int | None = None
) -> list[psutil.Process]:
    """The live processes of the stack `stack_id`, or only those of one of its programs."""
    found = []
    for process in psutil.process_iter():
        if process.pid in (os.getpid(), but):
            continue
        try:
            environment = process.environ()
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or another user's: not ours in either case
        if environment.get(STACK_VARIABLE) != stack_id:
            continue
        if program is None or environment.get(PROGRAM_VARIABLE) == program:
            found.append(process)
    return found


def end_processes(processes: Sequence[psutil.Process], *, patience: float) -> None:
    """Ask the processes to end, and end them by force after `patience` seconds."""
    if patience > 0:
        for process in processes:
            _send(process, force=False)
        _, processes = psutil.wait_procs(list(processes), timeout=patience)
    for process in processes:
        _send(process, force=True)
    psutil.wait_procs(list(processes), timeout=5.0)


def end_orphans(stack_id: str, *, patience: float = 30.0) -> int:
    """End all that an earlier launcher of this stack left running; returns how many there were.

    The supervisor goes first: it ends its programs in their order, and does not restart them.
    """
    orphans = marked_processes(stack_id)
    supervisors = [process for process in orphans if _program_of(process) == "supervisord"]
    end_processes(supervisors, patience=patience)
    end_processes(marked_processes(stack_id), patience=patience)
    return len(orphans)


def _program_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(PROGRAM_VARIABLE, "")
    except (psutil.Error, OSError):
        return ""


def _send(process: psutil.Process, *, force: bool) -> None:
    try:
        if force:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
