"""Tests, by what they need: unit, contract (real servers), e2e, architecture, browser."""
