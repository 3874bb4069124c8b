"""Markets in which each demand goes whole to one offer: the generalized assignment problem."""

from services.matching.engine.whole.jobs import Jobs, jobs_of
from services.matching.engine.whole.search import WholeSearch

__all__ = ["Jobs", "WholeSearch", "jobs_of"]
