"""What can go wrong with the embedded stack, in words for the person at the terminal."""

from __future__ import annotations


class StackError(Exception):
    """The stack can't do what was asked. The text says why and what to do about it."""


class PortTaken(StackError):  # noqa: N818  (a refusal reads best under its own name)
    """A port that the stack needs is in use by somebody else."""


class AlreadyRunning(StackError):  # noqa: N818  (a refusal reads best under its own name)
    """Another stack runs on the same data directory."""


class StartFailed(StackError):  # noqa: N818  (a refusal reads best under its own name)
    """A program of the stack did not become ready; the text ends with its last log lines."""
