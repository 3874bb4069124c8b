"""Why something was not matched, and the smallest change that would have matched it."""

from services.matching.explain.explain import explain

__all__ = ["explain"]
