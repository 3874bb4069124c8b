"""Prometheus metrics of matching."""

from prometheus_client import Counter, Gauge, Histogram

ROUNDS = Counter("spareline_rounds_total", "Rounds that ended, by state", ["state"])
ROUND_SECONDS = Histogram(
    "spareline_round_seconds",
    "Seconds from the start of a round to its end",
    buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600),
)
ROUND_GAP = Gauge("spareline_round_gap_ppm", "Gap of the last completed round, in millionths")
HOLDS_FAILED = Counter("spareline_holds_failed_total", "Proposals whose hold no longer fitted")
PROPOSALS = Gauge("spareline_proposals", "Proposals by state", ["state"])
MOVES = Counter("spareline_proposal_moves_total", "Moves of proposals, by what they led to", ["to"])
BOOK_LAG_SECONDS = Gauge(
    "spareline_book_lag_seconds", "Age of the last event when the book took it in"
)
BOOK_ITEMS = Gauge("spareline_book_items", "What the book holds", ["kind"])
BOOK_RESYNCS = Counter("spareline_book_resyncs_total", "Times the book was loaded anew")
WATCHERS = Gauge("spareline_proposal_watchers", "Streams that follow proposals")
WORK_UNITS = Counter(
    "spareline_work_units_total",
    "Parts of rounds as units of work: sent, answered, given_back and solved_here where the round "
    "runs; solved, redelivered, retried, dropped and dead where the worker runs",
    ["outcome"],
)
WORK_SECONDS = Histogram(
    "spareline_work_seconds",
    "Seconds that a worker took for a unit, transfer included",
    buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600),
)
