"""Running a command: one event loop, one clear line when it is refused, one exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import grpc
import typer

from cli.screen import complain, hint
from cli.session import NotSignedIn
from services.chassis.errors import DomainError, Unauthenticated, Unavailable
from services.chassis.grpc_errors import from_rpc_error

REFUSED: Final = 1
"""The market said no, or rows were bad."""
USAGE: Final = 2
"""The command was wrong."""
AWAY: Final = 3
"""The market does not answer."""
_INTERRUPTED: Final = 130


class Refused(Exception):  # noqa: N818 - says what is the case
    """The command itself refuses; the message says why and what to change."""


class WrongUsage(Exception):  # noqa: N818 - says what is the case
    """The command line does not make sense; the message says why and what to change."""


def perform(job: Coroutine[Any, Any, int]) -> None:
    """Run a command's coroutine and leave with its exit code.

    Raises:
        typer.Exit: when the code is not 0.
    """
    code = _code(job)
    if code:
        raise typer.Exit(code)


def _code(job: Coroutine[Any, Any, int]) -> int:
    try:
        return asyncio.run(job)
    except grpc.aio.AioRpcError as error:
        return _refused(from_rpc_error(error))
    except NotSignedIn:
        complain("You are not signed in.")
        hint("Run `spareline sign-in YOU@FIRM.EXAMPLE`, or give an API key with --key.")
        return REFUSED
    except Refused as error:
        complain(str(error))
        return REFUSED
    except WrongUsage as error:
        complain(str(error))
        return USAGE
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}." if error.filename else str(error))
        return REFUSED
    except KeyboardInterrupt:
        complain("Interrupted.")
        return _INTERRUPTED


def _refused(error: DomainError) -> int:
    if isinstance(error, Unavailable):
        complain("The market does not answer.")
        hint(f"Is it running, and are --registry and --matching right? ({error.message})")
        return AWAY
    complain(error.message)
    for violation in error.violations:
        hint(f"{violation.field}: {violation.sentence()}")
    if isinstance(error, Unauthenticated):
        hint("Sign in again with `spareline sign-in`, or check the API key.")
    return REFUSED
