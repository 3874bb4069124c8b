"""Running a round from its inputs to its result, and checking a stored one. No storage here."""
