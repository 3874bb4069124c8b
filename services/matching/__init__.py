"""The matching service: the book, rounds, proposals and explanations."""
