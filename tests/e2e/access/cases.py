"""For every RPC a request aimed at A's data, and what a caller who is let in gets.

A request is made so that being let in changes nothing: it fails a check that comes after the
access rules (a stale etag, a missing part, a posting that is not there), or only reads. An RPC
without a case fails the test, so whoever adds one says here who may call it.
"""

from tests.e2e.access.matching_cases import PROPOSALS, ROUNDS
from tests.e2e.access.registry_cases import (
    CALENDARS,
    DRAFTS,
    IDENTITY,
    IMPORTS,
    ORGANIZATIONS,
    POSTINGS,
)
from tests.e2e.access.webhook_cases import DEAD_LETTERS, MAIL, WEBHOOKS

CASES = (
    *IDENTITY,
    *DRAFTS,
    *IMPORTS,
    *CALENDARS,
    *ORGANIZATIONS,
    *POSTINGS,
    *WEBHOOKS,
    *MAIL,
    *DEAD_LETTERS,
    *ROUNDS,
    *PROPOSALS,
)
