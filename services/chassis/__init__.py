"""Runtime plumbing that every service shares; it knows no noun of the market."""
