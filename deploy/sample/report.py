"""What a load did, and how to sign in to what it made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]
"""Told what is under way, how many are done, and of how many."""


@dataclass(frozen=True)
class SignIn:
    """An account of the sample. Its password is the one that `load` was given."""

    organization: str
    display_name: str
    email: str


@dataclass(frozen=True)
class LoadReport:
    """What the market holds of the sample after a load, and what of it is new.

    `api_key` is the partner platform's, and empty when the key was made by an earlier load: a key
    is shown once only.
    """

    organizations: int
    offers: int
    demands: int
    new: int
    errors: tuple[str, ...]
    platform: SignIn
    showcase: tuple[SignIn, ...]
    api_key: str
