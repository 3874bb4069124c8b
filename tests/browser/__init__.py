"""Journeys through the pages in a real Chromium, against the whole stack."""
