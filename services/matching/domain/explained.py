"""What explanations are called, and what they say of a demand that is served."""

from __future__ import annotations

import hashlib

LONGEST_ID = 63

SERVED = "served"
"""Outcome of a demand that got all it asked for."""


def explanation_name(round_name: str, subject: str) -> str:
    """rounds/{round}/explanations/{organization}-{posting}, the posting with its kind before it.

    An offer and a demand of one organization may share an id. Ids that would be too long are
    replaced by a digest.
    """
    _, organization, kind, posting = subject.split("/")
    ident = f"{organization}-{kind}.{posting}"
    if len(ident) > LONGEST_ID:
        ident = hashlib.sha256(subject.encode()).hexdigest()[:32]
    return f"{round_name}/explanations/{ident}"
