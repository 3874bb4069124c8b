"""Resource names by pattern (AIP-122), and the ids in them."""

import hashlib
import re
import uuid
from functools import lru_cache

from services.chassis.causes import said
from services.chassis.errors import Violation, invalid
from spareline.errors.v1 import cause_pb2

_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_ID = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,62}"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = _VARIABLE.split(pattern)
    expression = "".join(
        f"(?P<{part}>{_ID})" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    return re.compile(expression)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a name has the shape of the pattern."""
    return _compiled(pattern).fullmatch(name) is not None


def parse(pattern: str, name: str, *, field: str = "name") -> dict[str, str]:
    """Take a name apart by ``organizations/{organization}/offers/{offer}`` and the like.

    Raises InvalidArgument (FIELD_INVALID, naming ``field``) when the name has another shape.
    """
    found = _compiled(pattern).fullmatch(name)
    if found is None:
        raise invalid(Violation(field, said(cause_pb2.CAUSE_NOT_A_NAME, pattern=pattern)))
    return found.groupdict()


def format_name(pattern: str, **ids: str) -> str:
    """Fill the ids into a pattern. Raises ValueError when the result is not well formed."""
    name = pattern.format(**ids)
    if not matches(pattern, name):
        raise ValueError(f"ids do not fit the pattern {pattern}")
    return name


def new_id() -> str:
    """Return a fresh random id of 32 characters."""
    return uuid.uuid4().hex


def derived_id(parent: str, request_id: str) -> str:
    """Return the id of what a request creates below a parent: the same for each repetition.

    With no request id every call returns a fresh one.
    """
    if not request_id:
        return new_id()
    return hashlib.sha256(f"{parent}\n{request_id}".encode()).hexdigest()[:32]
