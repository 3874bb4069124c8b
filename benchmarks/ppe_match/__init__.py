"""The engine as a strategy inside the test framework of the `ppe-match` package."""
